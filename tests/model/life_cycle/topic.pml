/* The topic's memory, row and directory (topic_registry.cpp, topic_registry_start.cpp, catalog.cpp,
 * ring_start.cpp, ring_opening.cpp). */

/* TopicMemory::create: any that nobody refers to any more will do. */
inline make_memory(which) {
  atomic {
    which = 0;
    do
    :: which < MEMORIES && (kept[which] || mine[which] || served == which || HAS(listed, which) ||
                            memory_of[0] == which || memory_of[1] == which) -> which++
    :: else -> break
    od;
    assert(which < MEMORIES);
    clear_memory(which)
  }
}

/* open_partition */
inline fill_memory(m, start) {
  d_step {
    mem[m].base = start;
    mem[m].limit = RING;
    mem[m].filled = true
  }
}

/* TopicRegistry::create, for client `c` */
inline create_topic(c) {
  if
  :: served != NONE -> skip /* `exists` */
  :: else ->
     make_memory(m);
     mem[m].generation = 1;
     if
     :: !LEFT_OUT(NOT_KEPT) -> put_memory(m)
     :: else -> skip
     fi;
     atomic { /* Catalog::add_topic */
       row = true;
       row_generation = 1;
       row_base = 0;
       row_clean = false
     };
     directory = true;
     if
     :: LEFT_OUT(MAGIC_FIRST) -> mem[m].magic = true
     :: else -> skip
     fi;
     fill_memory(m, 0);
     mem[m].state = SERVING;
     mem[m].magic = true;
     atomic {
       served = m;
       begin_flushing(m)
     }
  fi;
  atomic {
    if
    :: connected[c] -> created = true
    :: else -> skip
    fi
  };
  m = 0
}

inline remove_files() {
  d_step {
    deleted_directory = false;
    logged = 0;
    log_end = 0
  }
}

/* TopicRegistry::remove, finish_removal, for client `c` */
inline delete_topic(c) {
  if
  :: served == NONE -> skip
  :: else ->
     mem[served].state = DELETED;
     end_flushing();
     if
     :: replacing -> give_up_replacement()
     :: else -> skip
     fi;
     if
     :: LEFT_OUT(DROP_BEFORE_ROW) -> drop_memory(served)
     :: else -> skip
     fi;
     atomic {
       directory = false;
       deleted_directory = true
     };
     if
     :: LEFT_OUT(FILES_BEFORE_ROW) -> remove_files()
     :: else -> skip
     fi;
     d_step { /* Catalog::remove_topic: from here on nobody is owed anything */
       row = false;
       row_clean = false;
       row_generation = 0;
       row_base = 0;
       row_clean_offset = 0;
       visible = 0;
       written = 0;
       forgiven = 0
     };
     atomic {
       drop_memory(served);
       served = NONE
     };
     remove_files()
  fi
}

/* TopicRegistry::replace_ring */
inline replace_ring() {
  make_memory(m);
  mem[m].generation = row_generation + 1;
  if
  :: !LEFT_OUT(NEXT_NOT_KEPT) -> put_memory(m)
  :: else -> skip
  fi;
  atomic {
    next = m;
    replacing = true;
    ending = true;
    m = 0
  }
}

/* TopicRegistry::give_up_replacement */
inline give_up_replacement() {
  drop_memory(next);
  replacing = false;
  next = 0
}

/* TopicRegistry::go_on_behind, ring::carry_over, carry_handles */
inline go_on_behind(old) {
  d_step {
    j = (mem[old].retired == 0 -> mem[old].tail : mem[old].end);
    mem[next].base = OFFSET(old, j);
    i = j;
    do
    :: i < mem[old].tail && !LEFT_OUT(NOT_CARRIED_OVER) ->
       mem[next].cell[i - j] = (mem[old].cell[i] == COMMITTED -> COMMITTED : SKIPPED);
       i++
    :: else -> break
    od;
    mem[next].tail = mem[old].tail - j;
    if
    :: LEFT_OUT(NOT_CARRIED_OVER) -> mem[next].tail = 0
    :: else -> skip
    fi;
    mem[next].limit = RING;
    i = 0;
    do
    :: i < ENTRIES ->
       mem[next].entry_state[i] = mem[old].entry_state[i];
       mem[next].entry_session[i] = mem[old].entry_session[i];
       i++
    :: else -> break
    od;
    i = 0;
    j = 0;
    mem[next].filled = true
  }
}

/* TopicRegistry::finish_replacement; the flusher has let go of the old ring */
inline finish_replacement() {
  end_flushing();
  go_on_behind(served);
  mem[next].state = SERVING;
  mem[next].magic = true;
  mem[served].state = REPLACED;
  m = served;
  if
  :: LEFT_OUT(OLD_DROPPED_FIRST) -> drop_memory(m)
  :: else -> skip
  fi;
  write_ring_row(next);
  atomic {
    served = next;
    begin_flushing(next)
  };
  atomic {
    drop_memory(m);
    replacing = false;
    next = 0;
    m = 0
  }
}

/* TopicRegistry::remove_leftovers */
inline remove_leftovers() {
  if
  :: deleted_directory && row && !LEFT_OUT(NO_WAY_BACK) ->
     atomic {
       deleted_directory = false;
       directory = true
     }
  :: deleted_directory && (!row || LEFT_OUT(NO_WAY_BACK)) -> remove_files()
  :: else -> skip
  fi
}

/* ring_start: into `start` */
inline begin_where() {
  d_step {
    start = log_end;
    if
    :: row_base > start && !LEFT_OUT(JUMP_FROM_LOG) -> start = row_base
    :: else -> skip
    fi;
    if
    :: row_clean && row_clean_offset > start -> start = row_clean_offset
    :: row_clean && row_clean_offset <= start -> skip
    :: !row_clean && LEFT_OUT(NO_JUMP) -> skip
    :: !row_clean && LEFT_OUT(SHORT_JUMP) -> start = start + RING - 1
    :: else -> start = start + RING + 1
    fi
  }
}

/* Catalog::begin_ring */
inline write_ring_row(m) {
  d_step {
    row_generation = mem[m].generation;
    row_base = mem[m].base;
    if
    :: !LEFT_OUT(CLEAN_STAYS) ->
       row_clean = false;
       row_clean_offset = 0
    :: else -> skip
    fi
  }
}

/* TopicRegistry::begin_ring */
inline begin_ring() {
  assert(MISSING == 0); /* what was in the ring of before is not owed any more, or is in the log */
  make_memory(m);
  mem[m].generation = row_generation + 1;
  if
  :: !LEFT_OUT(NEW_RING_NOT_KEPT) -> put_memory(m)
  :: else -> skip
  fi;
  begin_where();
  fill_memory(m, start);
  if
  :: !LEFT_OUT(NO_NEW_ROW) -> write_ring_row(m)
  :: else -> skip
  fi
}

/* TopicRegistry::adopt: `m` is the memory that the row means, NONE if the keeper has none that
 * was finished, or not all session memory of who may claim in it. */
inline find_listed() {
  d_step {
    m = 0;
    do
    :: m < MEMORIES && !(HAS(listed, m) && mem[m].generation == row_generation &&
                         (mem[m].magic || LEFT_OUT(MAGIC_NOT_CHECKED))) -> m++
    :: else -> break
    od;
    if
    :: m == MEMORIES -> m = NONE
    :: else ->
       assert(mem[m].filled);
       /* pid_without_slots */
       i = 0;
       do
       :: i < ENTRIES && (mem[m].entry_state[i] == 0 || LEFT_OUT(SESSION_WITHOUT_MEMORY) ||
                          HAS(listed_sessions, mem[m].entry_session[i])) -> i++
       :: else -> break
       od;
       if
       :: i < ENTRIES -> m = NONE
       :: else -> skip
       fi;
       i = 0
    fi
  }
}

/* TopicRegistry::load. `m` is then the topic's memory. */
inline load() {
  remove_leftovers();
  if
  :: !row -> m = NONE
  :: else ->
     directory = true; /* recover_log */
     find_listed();
     if
     :: m == NONE -> begin_ring()
     :: else ->
        atomic {
          adopted = true;
          listed = listed & ~BIT(m)
        };
        /* Before anything is committed behind what the mark says. */
        if
        :: row_clean && !LEFT_OUT(CLEAN_ADOPTED) ->
           d_step {
             row_clean = false;
             row_clean_offset = 0
           }
        :: else -> skip
        fi;
        if
        :: !LEFT_OUT(NOT_KEPT_AGAIN) -> put_memory(m)
        :: else -> skip
        fi
     fi
  fi
}
