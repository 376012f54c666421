/* What everybody sees: the disk, the shared memory, the kernel's knowledge of who lives. Ghosts are
 * known to the model alone and decide nothing. */

/* The disk: catalog row, log directory, log. It survives every process. */
bool row;
byte row_generation, row_base, row_clean_offset;
bool row_clean;
bool directory, deleted_directory;
byte log_end; /* offset behind the last one written */
int logged;   /* set of offsets */

/* Memory of a topic: ring and board. `cell` is what lies at a position. */
#define CLAIMED_BY(c) (1 + (c))
#define COMMITTED 4
#define SKIPPED 5
#define VOID 6 /* taken from who stood still in it */
#define SERVING 1
#define STOPPING 2
#define DELETED 3
#define REPLACED 4
#define DECIDING 1
#define DECIDED 2
typedef Memory {
  byte generation, base;
  bool filled, magic;
  byte state;
  byte tail, limit;
  bool closed;
  byte retired, end; /* from `end` on the ring is not read any more */
  byte cell[POSITIONS];
  byte entry_state[ENTRIES]; /* as in handles.cpp: 0 free, 1 open, 2 dead */
  byte entry_session[ENTRIES]
}
Memory mem[MEMORIES];
int lost; /* ghost: set of memories that no supervisor can get at any more, by right */

/* Session memory: what the client tried last. */
byte word[SESSIONS]; /* 1 + position of the claim it owns; 0: idle */
byte owner[SESSIONS];

/* Clients. */
bool client_alive[CLIENTS];
bool connected[CLIENTS];  /* its connection to the living supervisor */
byte session_of[CLIENTS]; /* as the client knows it; NONE */
byte memory_of[CLIENTS];  /* behind its handle; NONE: it has none */
byte entry_of[CLIENTS];
byte handle_session[CLIENTS];
bool finished[CLIENTS]; /* its topic is deleted */
byte records[CLIENTS];  /* it still wants to publish */
bool created; /* client 0 was told so */

/* Supervisors. */
bool alive[2];
byte lock_holder; /* both directories' locks: two_supervisors.pml */
byte phase[2];
#define STARTING 1
#define HAS_LISTED 2
#define SERVES 3
bool listening;

/* The topic as the serving supervisor has it; the sessions that it knows. */
byte served; /* memory; NONE */
bool knows[SESSIONS], watches[SESSIONS], knows_dead[SESSIONS];
bool stopping, stop_wanted;
bool replacing; /* Topic::replacement, */
byte next;      /* and its memory */

/* Budgets. */
bool two_supervisors;
byte kills_after_stop;
byte supervisor_kills, keeper_kills, client_kills, hang_ups, stops, deletions, closes, failed_spawns;
byte replacements;

/* Ghosts of what was promised. */
int visible;  /* set of offsets that were committed */
int written;  /* those that were in the file system once */
int forgiven; /* those that were lost by right: nobody was left who held them */
int ended;    /* set of memories that an orderly stop has drained */

inline start_world() {
  lock_holder = NONE;
  served = NONE;
  client_alive[0] = true;
  client_alive[1] = true;
  session_of[0] = NONE;
  session_of[1] = NONE;
  memory_of[0] = NONE;
  memory_of[1] = NONE;
  handle_session[0] = NONE;
  handle_session[1] = NONE;
  owner[0] = NONE;
  owner[1] = NONE;
  owner[2] = NONE;
  owner[3] = NONE;
  owner[4] = NONE;
  owner[5] = NONE
}

#define BIT(number) (1 << (number))
#define HAS(set, number) (((set) >> (number)) & 1)
#define OFFSET(m, position) (mem[m].base + (position))
#define ALL 255
/* What was committed, is not in the log, and was not lost by right. */
#define MISSING (visible & ~logged & ~forgiven)

inline clear_memory(m) {
  d_step {
    mem[m].generation = 0;
    mem[m].base = 0;
    mem[m].filled = false;
    mem[m].magic = false;
    mem[m].state = 0;
    mem[m].tail = 0;
    mem[m].limit = 0;
    mem[m].closed = false;
    mem[m].retired = 0;
    mem[m].end = 0;
    i = 0;
    do
    :: i < POSITIONS -> mem[m].cell[i] = 0; i++
    :: else -> break
    od;
    i = 0;
    do
    :: i < ENTRIES -> mem[m].entry_state[i] = 0; mem[m].entry_session[i] = 0; i++
    :: else -> break
    od;
    i = 0;
    lost = lost & ~BIT(m);
    ended = ended & ~BIT(m)
  }
}
