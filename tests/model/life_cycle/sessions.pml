/* Sessions and handles (session_table.cpp, handles.cpp). */

#define ENTRY_IS(e, s) (mem[served].entry_state[e] != 0 && mem[served].entry_session[e] == (s))
#define HAS_ENTRIES(s) (served != NONE && \
  (ENTRY_IS(0, s) || ENTRY_IS(1, s) || ENTRY_IS(2, s) || ENTRY_IS(3, s)))

/* SessionTable::end */
inline end_session(s) {
  atomic {
    drop_session(s);
    knows[s] = false;
    watches[s] = false;
    knows_dead[s] = false
  }
}

/* Handles::release, finish_release */
inline release(e) {
  if
  :: LEFT_OUT(FREED_UNREPAIRED) -> mem[served].entry_state[e] = 0
  :: else ->
     atomic {
       flushing -> releasing = e
     };
     atomic { releasing == NONE -> mem[served].entry_state[e] = 0 }
  fi
}

/* SessionTable::died */
inline session_died(s) {
  knows_dead[s] = true;
  if
  :: served != NONE ->
     e = 0;
     do
     :: e < ENTRIES ->
        if
        :: mem[served].entry_state[e] != 0 && mem[served].entry_session[e] == s ->
           mem[served].entry_state[e] = 2;
           release(e)
        :: else -> skip
        fi;
        e++
     :: else -> break
     od;
     e = 0
  :: else -> skip
  fi;
  end_session(s)
}

/* ControlServer::welcome, SessionTable::resume and begin */
inline answer_hello(c) {
  d_step {
    connected[c] = true;
    if
    :: session_of[c] != NONE && knows[session_of[c]] && owner[session_of[c]] == c &&
       !knows_dead[session_of[c]] -> skip
    :: else ->
       s = 0;
       do
       :: s < SESSIONS && (knows[s] || kept_session[s] || my_session[s] || session_of[0] == s ||
                           session_of[1] == s || handle_session[0] == s || handle_session[1] == s ||
                           HAS_ENTRIES(s)) -> s++
       :: else -> break
       od;
       assert(s < SESSIONS);
       knows[s] = true;
       watches[s] = true;
       owner[s] = c;
       word[s] = 0;
       session_of[c] = s;
       s = 0
    fi
  }
}

/* Handles::open, for client `c` */
inline open_handle(c) {
  atomic {
    s = session_of[c];
    e = 0;
    do
    :: e < ENTRIES && mem[served].entry_state[e] != 0 -> e++
    :: else -> break
    od;
    assert(e < ENTRIES)
  };
  if
  :: !my_session[s] && !LEFT_OUT(SESSION_KEPT_LATE) -> put_session(s)
  :: else -> skip
  fi;
  if
  :: !LEFT_OUT(ENTRY_LATE) ->
     atomic {
       mem[served].entry_session[e] = s;
       mem[served].entry_state[e] = 1
     }
  :: else -> skip
  fi;
  atomic { /* Flusher::attach, then the reply */
    if
    :: connected[c] && session_of[c] == s ->
       memory_of[c] = served;
       entry_of[c] = e;
       handle_session[c] = s;
       word[s] = 0
    :: else -> skip /* the client will open another one */
    fi
  };
  if
  :: LEFT_OUT(ENTRY_LATE) ->
     atomic {
       mem[served].entry_session[e] = s;
       mem[served].entry_state[e] = 1
     }
  :: else -> skip
  fi;
  if
  :: LEFT_OUT(SESSION_KEPT_LATE) && !my_session[s] -> put_session(s)
  :: else -> skip
  fi;
  atomic {
    s = 0;
    e = 0
  }
}

/* Requests: close, for client `c`, which uses the handle no more; release(e) follows */
inline take_handle(c) {
  closes--;
  e = entry_of[c];
  drop_handle(c)
}

/* SessionTable::adopt, adopt_session, Handles::adopt: by the entries of the board in `m` */
inline adopt_sessions() {
  e = 0;
  do
  :: atomic { e < ENTRIES && mem[m].entry_state[e] == 0 -> e++ }
  :: e < ENTRIES && mem[m].entry_state[e] != 0 ->
     if
     :: HAS(listed_sessions, mem[m].entry_session[e]) || knows[mem[m].entry_session[e]] ->
        if
        :: !LEFT_OUT(NOT_KEPT_AGAIN) -> put_session(mem[m].entry_session[e])
        :: else -> skip
        fi;
        atomic {
          knows[mem[m].entry_session[e]] = true;
          watches[mem[m].entry_session[e]] = !LEFT_OUT(ADOPTED_UNWATCHED);
          listed_sessions = listed_sessions & ~BIT(mem[m].entry_session[e]);
          e++
        }
     :: else -> /* its session memory is gone: handle_not_adopted */
        atomic {
          assert(LEFT_OUT(SESSION_WITHOUT_MEMORY) || LEFT_OUT(NOT_ADOPTED_FIRST));
          knows[mem[m].entry_session[e]] = true;
          watches[mem[m].entry_session[e]] = true;
          mem[m].entry_state[e] = 0;
          e++
        }
     fi
  :: atomic { e == ENTRIES -> e = 0; break }
  od
}
