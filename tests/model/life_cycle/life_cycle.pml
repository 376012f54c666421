/* The life of one topic among supervisor, keeper and clients, each of which may die at every step.
 *
 * The steps are those of the daemon and of the client library; a comment names the function. What
 * happens inside a ring (claim, repair, stamps under weak orders) is the matter of the other models:
 * here a claim, a stamp and a repair are one step each. Positions and offsets count records, a ring
 * holds kRing of them, a claim takes one.
 *
 * left_out removes one protective step; 0: none. Budgets say how often what may happen; both come
 * from the environment (setting.h). When nobody can move any more, and only then, `timeout` holds:
 * then everything must be in order again. */

c_decl {
  \#include "setting.h"
}

#define CLIENTS 2
#define RING 2      /* records a ring holds */
#define POSITIONS 4 /* claims that one ring sees */
#define MEMORIES 4  /* rings at a time, used and forgotten */
#define SESSIONS 6
#define ENTRIES 4 /* of the board's attachment table */
#define NONE 255

#include "mutants.pml"
#include "world.pml"
#include "keeper.pml"
#include "flusher.pml"
#include "client.pml"
#include "topic.pml"
#include "sessions.pml"
#include "supervisor.pml"
#include "fate.pml"

init {
  atomic {
    c_code {
      now.left_out = setting("LEFT_OUT", 0);
      now.supervisor_kills = setting("SUPERVISOR_KILLS", 0);
      now.keeper_kills = setting("KEEPER_KILLS", 0);
      now.client_kills = setting("CLIENT_KILLS", 0);
      now.hang_ups = setting("HANG_UPS", 0);
      now.stops = setting("STOPS", 0);
      now.deletions = setting("DELETIONS", 0);
      now.closes = setting("CLOSES", 0);
      now.replacements = setting("REPLACEMENTS", 0);
      now.failed_spawns = setting("FAILED_SPAWNS", 0);
      now.kills_after_stop = setting("KILLS_AFTER_STOP", 0);
      now.two_supervisors = setting("TWO_SUPERVISORS", 0);
      now.records[0] = setting("RECORDS", 1);
      now.records[1] = setting("RECORDS_OF_THE_SECOND", 1);
    };
    start_world();
    run fate(); /* first, which spin tries last: late faults are found sooner */
    run supervisor(0);
    if
    :: two_supervisors -> run supervisor(1)
    :: else -> skip
    fi;
    run flusher();
    run client(0);
    run client(1)
  }
}
