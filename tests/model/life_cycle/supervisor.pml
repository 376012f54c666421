/* The supervisor's control thread (supervisor.cpp, control_server.cpp). Whoever it is that starts
 * supervisors starts another as soon as one has ended, or has two at it all the time. */

#define IS_DEAD(n) (watches[n] && !client_alive[owner[n]])
#define HAS_LEFT(n) (knows[n] && client_alive[owner[n]] && !connected[owner[n]] && \
  (!HAS_ENTRIES(n) || LEFT_OUT(HANG_UP_IS_DEATH)))
#define ANY(condition) (condition(0) || condition(1) || condition(2) || condition(3) || condition(4) || \
  condition(5))
#define FIRST(condition) \
  s = 0; \
  do \
  :: !condition(s) -> s++ \
  :: else -> break \
  od

/* Everything that is the process's own. */
inline forget_everything(n) {
  d_step {
    phase[n] = 0;
    has_keeper[n] = false;
    if
    :: lock_holder == n ->
       lock_holder = NONE;
       listening = false;
       served = NONE;
       watch = UNWATCHED;
       stopping = false;
       replacing = false;
       next = 0;
       ending = false;
       i = 0;
       do
       :: i < CLIENTS ->
          connected[i] = false;
          i++
       :: else -> break
       od;
       i = 0;
       do
       :: i < SESSIONS ->
          knows[i] = false;
          watches[i] = false;
          knows_dead[i] = false;
          my_session[i] = false;
          i++
       :: else -> break
       od;
       i = 0;
       do
       :: i < MEMORIES -> mine[i] = false; i++
       :: else -> break
       od;
       i = 0;
       flushing = false;
       flushed_memory = 0;
       place = 0;
       log_place = 0;
       draining = false;
       releasing = NONE;
       /* Who held what counts from here on: the keeper, if it has everything. */
       if
       :: unrestored ->
          lost = ALL;
          forgiven = forgiven | (visible & ~logged)
       :: else -> skip
       fi
    :: else -> skip
    fi
  }
}

inline take_locks() {
  atomic {
    lock_holder == NONE || LEFT_OUT(NO_LOCK) ->
    assert(lock_holder == NONE); /* two supervisors never at once */
    lock_holder = me;
    phase[me] = STARTING
  }
}

/* Keepsakes::list */
inline list_kept() {
  d_step {
    listed = 0;
    listed_sessions = 0;
    i = 0;
    do
    :: i < MEMORIES ->
       if
       :: kept[i] -> listed = listed | BIT(i)
       :: else -> skip
       fi;
       i++
    :: else -> break
    od;
    i = 0;
    do
    :: i < SESSIONS ->
       if
       :: kept_session[i] -> listed_sessions = listed_sessions | BIT(i)
       :: else -> skip
       fi;
       i++
    :: else -> break
    od;
    i = 0
  }
}

/* Supervisor::adopt_kept, its last loop */
inline drop_unknown() {
  d_step {
    i = 0;
    do
    :: i < MEMORIES ->
       if
       :: HAS(listed, i) -> kept[i] = false
       :: else -> skip
       fi;
       i++
    :: else -> break
    od;
    i = 0;
    do
    :: i < SESSIONS ->
       if
       :: HAS(listed_sessions, i) -> kept_session[i] = false
       :: else -> skip
       fi;
       i++
    :: else -> break
    od;
    i = 0
  }
}

/* The outcome of a replacement: watched again, or left to the next tick. */
inline keeper_replaced() {
  atomic {
    if
    :: no_keeper -> no_keeper = false
    :: else ->
       unrestored = !has_keeper[me];
       watch = (has_keeper[me] -> WATCHED : READABLE)
    fi
  }
}

proctype supervisor(byte me) {
  byte i, j, m, s, e, start;
  byte listed, listed_sessions;
  bool adopted, no_keeper, complete;
again:
  atomic { /* a new process */
    alive[me] = true;
    i = 0; j = 0; m = 0; s = 0; e = 0; start = 0;
    listed = 0; listed_sessions = 0;
    adopted = false; no_keeper = false; complete = false
  };
  {
    if
    :: LEFT_OUT(LIST_BEFORE_LOCK) ->
       find_keeper();
       list_kept()
    :: else -> skip
    fi;
    take_locks();
    if
    :: !LEFT_OUT(LIST_BEFORE_LOCK) ->
       /* A keeper that dies before it is asked leaves a start to fail, and another to follow. */
       atomic {
         find_keeper();
         list_kept();
         phase[me] = HAS_LISTED;
         unrestored = false
       }
    :: else ->
       atomic {
         find_keeper();
         phase[me] = HAS_LISTED;
         unrestored = false
       }
    fi;
    /* adopt_kept */
    if
    :: LEFT_OUT(NOT_ADOPTED_FIRST) -> drop_unknown()
    :: else -> skip
    fi;
    load();
    if
    :: adopted && !LEFT_OUT(NO_SESSIONS) -> adopt_sessions()
    :: else -> skip
    fi;
    if
    :: m != NONE -> /* TopicRegistry::serve */
       atomic {
         assert((written & ~logged) == 0); /* nothing written is lost */
         served = m;
         mem[m].state = SERVING;
         mem[m].magic = true;
         begin_flushing(m)
       }
    :: else -> skip
    fi;
    drop_unknown();
    atomic {
      listed = 0;
      listed_sessions = 0;
      if
      :: has_keeper[me] -> unrestored = false; watch = WATCHED
      :: else -> watch = READABLE
      fi;
      phase[me] = SERVES;
      listening = true
    };
    atomic {
      m = 0;
      adopted = false
    };
    do
    /* SessionTable::watch, watch_adopted: a readable pidfd */
    :: atomic { ANY(IS_DEAD) -> FIRST(IS_DEAD) };
       session_died(s);
       s = 0
    /* SessionTable::disconnected: a hang-up proves nothing */
    :: atomic { ANY(HAS_LEFT) -> FIRST(HAS_LEFT) };
       session_died(s);
       s = 0
    /* Requests::dispatch */
    :: atomic { GREETS(0) -> answer_hello(0) }
    :: atomic { GREETS(1) -> answer_hello(1) }
    :: CREATES(0) && !stopping -> create_topic(0)
    :: OPENS(0) && served != NONE && !stopping -> open_handle(0)
    :: OPENS(1) && served != NONE && !stopping -> open_handle(1)
    :: atomic { CLOSES(0) -> take_handle(0) };
       release(e);
       e = 0
    :: atomic { DELETES(0) && !stopping -> deletions-- }; delete_topic(0)
    /* TopicRegistry::alter, trouble_response; resume_replacements */
    :: atomic {
         replacements > 0 && served != NONE && flushing && !replacing && !stopping &&
         mem[served].retired == 0 -> replacements--
       };
       replace_ring()
    :: atomic {
         served != NONE && mem[served].retired != 0 && !replacing && !stopping &&
         !LEFT_OUT(NOT_RESUMED) -> skip
       };
       replace_ring()
    /* TopicRegistry::ring_ended: it ended, or could not */
    :: atomic { replacing && !stopping && ENDED -> skip }; finish_replacement()
    :: atomic {
         replacing && !stopping && ending && M.closed && M.retired == 0 && place < M.tail ->
         M.closed = false;
         ending = false
       };
       give_up_replacement()
    /* Supervisor::watch_keeper */
    :: atomic { watch == READABLE && !stopping && !LEFT_OUT(KEEPER_STAYS_DEAD) -> watch = UNWATCHED };
       replace(no_keeper);
       keeper_replaced()
    /* Supervisor::tick */
    :: atomic {
         watch == UNWATCHED && !stopping && !LEFT_OUT(KEEPER_STAYS_DEAD) &&
         !LEFT_OUT(NOT_TRIED_AGAIN) -> skip
       };
       replace(no_keeper);
       keeper_replaced()
    /* Supervisor::stop: no more clients, the board says so, tails are closed */
    :: atomic {
         stop_wanted && !stopping ->
         stop_wanted = false;
         stopping = true;
         listening = false;
         draining = true;
         for (i : 0 .. CLIENTS - 1) {
           connected[i] = false
         };
         i = 0;
         if
         :: served != NONE -> mem[served].state = STOPPING
         :: else -> skip
         fi
       }
    /* Drained, or out of patience. */
    :: atomic { stopping && DRAINED -> complete = true; break }
    :: atomic { stopping && !DRAINED -> complete = LEFT_OUT(END_UNDRAINED); break }
    od;
    watch = UNWATCHED;
    if
    :: LEFT_OUT(END_BEFORE_MARK) && complete -> keeper_ends()
    :: else -> skip
    fi;
    if
    :: served != NONE && (DRAINED || LEFT_OUT(END_UNDRAINED)) ->
       d_step { /* TopicRegistry::mark_clean */
         row_clean = true;
         row_clean_offset = OFFSET(served, place)
       }
    :: else -> skip
    fi;
    if
    :: complete -> /* Keepsakes::end */
       atomic {
         if
         :: served != NONE -> ended = ended | BIT(served)
         :: else -> skip
         fi;
         keeper_ends()
       }
    :: else -> skip
    fi;
    atomic {
      complete = false;
      forget_everything(me);
      alive[me] = false
    }
  } unless { !alive[me] };
  goto again
}
