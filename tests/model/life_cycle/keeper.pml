/* The keeper, a process that holds descriptors (keeper.cpp, keeper_service.cpp), and the supervisor's
 * side of it (keepsakes.cpp, keeper_client.cpp). What is put counts by name: kind and generation, or
 * session. */

bool keeper_alive;
bool kept[MEMORIES];         /* ring, board and bell: some of them are as good as none */
bool kept_session[SESSIONS]; /* memory, pidfd, doorbell: put one behind the other */
bool has_keeper[2];          /* a supervisor's connection to the living keeper */
byte watch;                  /* Supervisor::keeper_watch_ */
#define UNWATCHED 0
#define WATCHED 1
#define READABLE 2

/* Keepsakes::kept_: what the serving supervisor has put. */
bool mine[MEMORIES];
bool my_session[SESSIONS];

/* Ghost: the keeper was killed, and its successor has not got everything yet. */
bool unrestored;

/* KeeperClient's constructor: the living keeper of the runtime directory, or a new one. */
inline find_keeper() {
  atomic {
    keeper_alive = true;
    has_keeper[me] = true
  }
}

/* KeeperService::put: one of the same name is replaced. */
inline keep_memory(m) {
  d_step {
    i = 0;
    do
    :: i < MEMORIES ->
       if
       :: mem[i].generation == mem[m].generation ->
          kept[i] = false;
          mine[i] = false
       :: else -> skip
       fi;
       i++
    :: else -> break
    od;
    i = 0;
    kept[m] = true;
    mine[m] = true
  }
}
inline keep_session(s) {
  d_step {
    kept_session[s] = true;
    my_session[s] = true
  }
}

/* Keepsakes::replace: everything that was put is put again. It fails when no keeper can be started,
 * or the new one dies on the way. */
inline replace(failed) {
  if
  :: atomic {
       !keeper_alive && failed_spawns > 0 ->
       failed_spawns--;
       failed = true
     }
  :: find_keeper();
     failed = false;
     j = 0;
     do
     :: atomic { j < MEMORIES && mine[j] && has_keeper[me] -> keep_memory(j); j++ }
     :: atomic { j < MEMORIES && mine[j] && !has_keeper[me] -> failed = true; break }
     :: atomic { j < MEMORIES && !mine[j] -> j++ }
     :: atomic { j == MEMORIES -> j = 0; break }
     od;
     do
     :: atomic { failed || j == SESSIONS || LEFT_OUT(SESSIONS_NOT_PUT) -> break }
     :: atomic {
          !failed && j < SESSIONS && my_session[j] && !LEFT_OUT(SESSIONS_NOT_PUT) ->
          if
          :: has_keeper[me] -> keep_session(j)
          :: else -> failed = true
          fi;
          j++
        }
     :: atomic {
          !failed && j < SESSIONS && !my_session[j] && !LEFT_OUT(SESSIONS_NOT_PUT) -> j++
        }
     od;
     j = 0
  fi
}

/* Keepsakes::put of a dead keeper: while a supervisor starts, what it has put so far is not
 * everything yet. One that cannot put anything gives the request up: here it tries again. */
inline replace_dead_keeper() {
  atomic { !has_keeper[me] -> skip };
  replace(no_keeper);
  atomic {
    if
    :: !no_keeper && phase[me] == SERVES -> unrestored = !has_keeper[me]
    :: else -> skip
    fi;
    no_keeper = false
  }
}
inline put_memory(m) {
  do
  :: atomic { has_keeper[me] -> keep_memory(m); break }
  :: replace_dead_keeper()
  od
}
inline put_session(s) {
  do
  :: atomic { has_keeper[me] -> keep_session(s); break }
  :: replace_dead_keeper()
  od
}

/* Keepsakes::drop, which does not mind a dead keeper. */
inline drop_memory(m) {
  d_step {
    kept[m] = false;
    mine[m] = false
  }
}
inline drop_session(s) {
  d_step {
    if
    :: !LEFT_OUT(KEPT_FOR_EVER) ->
       kept_session[s] = false;
       my_session[s] = false
    :: else -> skip
    fi
  }
}

/* The keeper is gone: by kill -9, or because it was told to end (KeeperService: end). */
inline keeper_ends() {
  d_step {
    keeper_alive = false;
    has_keeper[0] = false;
    has_keeper[1] = false;
    i = 0;
    do
    :: i < MEMORIES -> kept[i] = false; i++
    :: else -> break
    od;
    i = 0;
    do
    :: i < SESSIONS -> kept_session[i] = false; i++
    :: else -> break
    od;
    i = 0;
    if
    :: watch == WATCHED -> watch = READABLE
    :: else -> skip
    fi
  }
}
