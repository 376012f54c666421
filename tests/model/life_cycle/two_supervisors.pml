/* Two supervisors never at once: lib/control/directory_lock.cpp, taken by the constructor of Supervisor
 * before the keeper is asked for anything.
 *
 * Three supervisors: the first two are embedded in one program, the third is a process of its own;
 * there are two state directories and two runtime directories, each supervisor wants one of both. A
 * POSIX lock belongs to a process: it does not keep out another supervisor of the same one, and goes
 * when the process dies, or closes any descriptor of the file. So a registry inside the process is
 * looked at first.
 *
 * left_out says which protective step is removed; 0: none. */

c_decl {
  \#include "setting.h"
}

byte left_out;
#define NO_LOCK         1 /* the lock file is not locked */
#define NO_REGISTRY     2 /* two supervisors of one process do not see each other */
#define REGISTRY_LAST   3 /* the registry is looked at when the file is open already */
#define RUNTIME_ONLY    4 /* only the runtime directory is locked */
#define STATE_ONLY      5 /* only the state directory is locked */
#define LAST_MUTANT     5

#define SUPERVISORS 3
#define PROCESSES 2
#define DIRECTORIES 4 /* two state directories, then two runtime directories */
#define NOBODY 255

byte process_of[SUPERVISORS];
bool alive[PROCESSES];
byte locked_by[DIRECTORIES]; /* a process, as the kernel sees it */
bool registered[8]; /* process * DIRECTORIES + directory */
byte user[DIRECTORIES]; /* the supervisor that uses it */
byte kills, times; /* of deaths; of starts of each supervisor */

#define REGISTERED(process, directory) registered[(process) * DIRECTORIES + (directory)]

/* DirectoryLock::DirectoryLock; `taken` says whether it came through. */
inline take(directory, taken) {
  atomic { /* the registry's mutex */
    taken = true;
    if
    :: left_out != NO_REGISTRY && left_out != REGISTRY_LAST && REGISTERED(process, directory) ->
       taken = false
    :: else -> skip
    fi;
    if
    :: !taken -> skip
    :: taken && left_out == NO_LOCK -> skip
    :: taken && left_out == RUNTIME_ONLY && directory < 2 -> skip
    :: taken && left_out == STATE_ONLY && directory >= 2 -> skip
    :: else -> /* lock_file */
       if
       :: locked_by[directory] == NOBODY || locked_by[directory] == process ->
          locked_by[directory] = process
       :: else -> taken = false
       fi
    fi;
    if
    :: taken && left_out == REGISTRY_LAST && REGISTERED(process, directory) ->
       locked_by[directory] = NOBODY; /* closing the second descriptor let go of the lock */
       taken = false
    :: else -> skip
    fi;
    if
    :: taken -> REGISTERED(process, directory) = true
    :: else -> skip
    fi
  }
}

/* DirectoryLock::~DirectoryLock */
inline give(directory) {
  atomic {
    if
    :: locked_by[directory] == process -> locked_by[directory] = NOBODY
    :: else -> skip
    fi;
    REGISTERED(process, directory) = false
  }
}

proctype supervisor(byte me) {
  byte process = process_of[me];
  byte state, runtime;
  bool state_taken, runtime_taken;
  byte times_left = times;
  {
    do
    :: times_left > 0 ->
       times_left--;
       if
       :: state = 0
       :: me > 0 -> state = 1 /* which is which does not matter */
       fi;
       if
       :: runtime = 2
       :: me > 0 -> runtime = 3
       fi;
       take(state, state_taken);
       if
       :: !state_taken -> skip
       :: else ->
          take(runtime, runtime_taken);
          if
          :: !runtime_taken -> skip
          :: else ->
             atomic {
               assert(user[state] == NOBODY && user[runtime] == NOBODY);
               user[state] = me;
               user[runtime] = me
             };
             atomic { user[state] = NOBODY; user[runtime] = NOBODY } /* an orderly end */
             give(runtime)
          fi;
          give(state)
       fi
    :: times_left == 0 -> break
    od
  } unless { !alive[process] }
}

/* kill -9 of a process: the kernel lets go of its locks, and what it served is served no more. */
proctype fate() {
  byte process, directory;
  do
  :: atomic {
       kills > 0 ->
       kills--;
       select(process : 0 .. PROCESSES - 1);
       alive[process] = false;
       for (directory : 0 .. DIRECTORIES - 1) {
         if
         :: locked_by[directory] == process -> locked_by[directory] = NOBODY
         :: else -> skip
         fi;
         if
         :: user[directory] != NOBODY && !alive[process_of[user[directory]]] ->
            user[directory] = NOBODY
         :: else -> skip
         fi
       }
     }
  :: break
  od
}

init {
  byte directory;
  atomic {
    c_code {
      now.left_out = setting("LEFT_OUT", 0);
      now.kills = setting("KILLS", 1);
      now.times = setting("TIMES", 1);
    };
    process_of[0] = 0;
    process_of[1] = 0;
    process_of[2] = 1;
    alive[0] = true;
    alive[1] = true;
    for (directory : 0 .. DIRECTORIES - 1) {
      locked_by[directory] = NOBODY;
      user[directory] = NOBODY
    };
    run supervisor(0);
    run supervisor(1);
    run supervisor(2);
    run fate()
  }
}
