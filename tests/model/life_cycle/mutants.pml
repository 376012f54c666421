/* The protective steps that left_out removes, one at a time. Each must be missed. */

byte left_out;

#define NO_LOCK             1  /* DirectoryLock: the directories are not locked */
#define LIST_BEFORE_LOCK    2  /* Supervisor: the keeper is asked before the locks are taken */
#define NOT_KEPT            3  /* TopicRegistry::create: the keeper does not get the memory */
#define NEW_RING_NOT_KEPT   4  /* TopicRegistry::begin_ring: likewise */
#define SESSION_KEPT_LATE   5  /* Handles::make_chunk: memory reaches the client before the keeper */
#define ENTRY_LATE          6  /* Handles::open: the board's entry after the reply */
#define MAGIC_FIRST         7  /* TopicRegistry::create: magic before the board is filled */
#define MAGIC_NOT_CHECKED   8  /* TopicMemory::adopt: a board that was never finished is taken */
#define NO_NEW_ROW          9  /* TopicRegistry::begin_ring: the catalog is not told */
#define NO_JUMP            10  /* ring_start: a lost ring's successor begins at the log's end */
#define SHORT_JUMP         11  /* ring_start: not over all the lost ring could have held */
#define JUMP_FROM_LOG      12  /* ring_start: the row's base does not count */
#define CLEAN_STAYS        13  /* begin_ring: the mark of an orderly stop stays in the row */
#define CLEAN_ADOPTED      14  /* TopicRegistry::adopt: likewise */
#define NOT_ADOPTED_FIRST  15  /* adopt_kept: what is unknown is dropped before the rows are read */
#define NO_SESSIONS        16  /* SessionTable::adopt: left out */
#define ADOPTED_UNWATCHED  17  /* SessionTable::watch_adopted: left out */
#define HANG_UP_IS_DEATH   18  /* SessionTable::disconnected: a hang-up is taken for proof */
#define FREED_UNREPAIRED   19  /* Handles::release: the slots are free before repair */
#define KEEPER_STAYS_DEAD  20  /* Supervisor::watch_keeper: left out */
#define NOT_TRIED_AGAIN    21  /* Supervisor::tick: a replacement that failed is not tried again */
#define SESSIONS_NOT_PUT   22  /* Keepsakes::replace: the new keeper gets topics only */
#define NOT_KEPT_AGAIN     23  /* TopicRegistry::load: what is adopted is not put again */
#define TAIL_OPEN          24  /* PartitionDuty::drain: the tail is not closed */
#define TAIL_STAYS_CLOSED  25  /* PartitionDuty's constructor: not opened again after a stop */
#define END_UNDRAINED      26  /* Supervisor::stop: the keeper ends whatever was drained */
#define END_BEFORE_MARK    27  /* Supervisor::stop: the keeper ends before the catalog knows */
#define DROP_BEFORE_ROW    28  /* finish_removal: the keeper forgets before the catalog */
#define FILES_BEFORE_ROW   29  /* finish_removal: the log is removed before the row */
#define NO_WAY_BACK        30  /* remove_leftovers: a directory with a row is removed, too */
#define LOG_FROM_COMMITTED 31  /* reopen_partition: the log goes on at the watermark */
#define SPACE_TOO_EARLY    32  /* hand_back_space: follows what is committed, not what is written */
#define STALE_HANDLE       33  /* BusState::connect_locked: a new session leaves the handles */
#define CLIENT_NEVER_LOOKS 34  /* BusState::keep_attached: left out */
#define KEPT_FOR_EVER      35  /* SessionTable::end: the keeper is not told */
#define SESSION_WITHOUT_MEMORY 36 /* TopicRegistry::adopt: although session memory of its users is gone */
#define NEXT_NOT_KEPT      37  /* TopicRegistry::replace_ring: the keeper does not get the next ring */
#define RING_UNDRAINED     38  /* PartitionDuty::ended: before everything is in the log */
#define RETIRED_REOPENED   39  /* RingEnding's constructor: an end that was decided is forgotten */
#define RETIRED_NOT_FOLLOWED 40 /* PartitionDuty::follow: not where the end is final */
#define NOT_RESUMED        41  /* TopicRegistry::resume_replacements: left out */
#define NOT_CARRIED_OVER   42  /* go_on_behind: what stands behind void claims is left behind */
#define OLD_DROPPED_FIRST  43  /* finish_replacement: the keeper forgets the old ring before the row */
#define REPLACED_NOT_SEEN  44  /* ProducerState::keep_going: goes on in the old ring */
#define LAST_MUTANT        44

#define LEFT_OUT(step) (left_out == step)
