/* The flusher, a thread of the serving supervisor (flusher.cpp, topic_duty.cpp, partition_duty.cpp):
 * it goes where the supervisor goes, and dies with it. */

bool flushing;       /* it has the topic: Flusher::add */
byte flushed_memory; /* the memory of that topic */
byte place;          /* CommitFollower: position behind what is settled */
byte log_place;      /* position behind what is in the log */
bool draining;
bool ending;         /* Flusher::end_ring */
byte releasing;      /* entry whose handle is to be released; NONE */

/* The claim that an entry's slot speaks of is finished by nobody else. */
#define HOLDS_CLAIM(m, e) (word[mem[m].entry_session[e]] > 0 && \
  mem[m].cell[word[mem[m].entry_session[e]] - 1] == CLAIMED_BY(owner[mem[m].entry_session[e]]) && \
  entry_of[owner[mem[m].entry_session[e]]] == (e) && memory_of[owner[mem[m].entry_session[e]]] == (m))

#define M mem[flushed_memory]

/* PartitionDuty::hand_back_space: limit, never lowered */
inline hand_back_space(reusable) {
  if
  :: M.limit < reusable + RING -> M.limit = reusable + RING
  :: else -> skip
  fi
}

proctype flusher() {
  byte client;
  do
  :: atomic { /* PartitionDuty::release, ring::repair: a skip over what a dead producer began */
       flushing && releasing != NONE ->
       if
       :: HOLDS_CLAIM(flushed_memory, releasing) ->
          client = owner[M.entry_session[releasing]];
          assert(!client_alive[client]); /* only on proof of death */
          M.cell[word[M.entry_session[releasing]] - 1] = SKIPPED;
          client = 0
       :: else -> skip
       fi;
       releasing = NONE
     }
  :: atomic { /* PartitionDuty::follow */
       flushing && place < POSITIONS && M.cell[place] >= COMMITTED &&
       (M.retired == 0 || (place < M.end && !LEFT_OUT(RETIRED_NOT_FOLLOWED))) ->
       assert(M.cell[place] != VOID); /* nobody reads it again */
       place++;
       if
       :: LEFT_OUT(SPACE_TOO_EARLY) -> hand_back_space(place)
       :: else -> skip
       fi
     }
  :: atomic { /* PartitionDuty::flush: into the file system, and what follows */
       flushing && log_place < place ->
       assert(log_place == 0 || OFFSET(flushed_memory, log_place) == log_end); /* no hole */
       assert(OFFSET(flushed_memory, log_place) >= log_end);                    /* in order */
       if
       :: M.cell[log_place] == COMMITTED ->
          logged = logged | BIT(OFFSET(flushed_memory, log_place));
          written = written | BIT(OFFSET(flushed_memory, log_place))
       :: else -> skip
       fi;
       log_end = OFFSET(flushed_memory, log_place) + 1;
       log_place++;
       hand_back_space(log_place)
     }
  :: atomic { /* PartitionDuty::drain */
       flushing && draining && !M.closed && !LEFT_OUT(TAIL_OPEN) -> M.closed = true
     }
  :: atomic { /* PartitionDuty::begin_end */
       flushing && ending && !M.closed -> M.closed = true
     }
  :: atomic { /* TopicDuty::look_at_end: somebody stands still for too long: PartitionDuty::fence */
       flushing && ending && M.closed && M.retired == 0 && place < M.tail && M.cell[place] < COMMITTED ->
       M.retired = DECIDING;
       M.end = place
     }
  :: atomic { /* RingEnding::look, ring::decide */
       flushing && M.retired == DECIDING ->
       M.retired = DECIDED;
       client = M.end;
       do
       :: client < M.tail ->
          if
          :: M.cell[client] < COMMITTED -> M.cell[client] = VOID
          :: else -> skip
          fi;
          client++
       :: else -> break
       od;
       client = 0
     }
  od
}

/* PartitionDuty::ended */
#define ENDED (flushing && M.closed && releasing == NONE && M.retired != DECIDING && \
  (log_place == place || LEFT_OUT(RING_UNDRAINED)) && \
  (place == (M.retired == 0 -> M.tail : M.end) || (M.retired == DECIDED && LEFT_OUT(RETIRED_NOT_FOLLOWED))))

/* PartitionDuty::drained */
#define DRAINED (!flushing || (place == M.tail && log_place == place && releasing == NONE && \
  (M.closed || LEFT_OUT(TAIL_OPEN))))

/* Flusher::add, PartitionDuty's constructor. */
inline begin_flushing(m) {
  d_step {
    flushing = true;
    flushed_memory = m;
    draining = false;
    ending = false;
    releasing = NONE;
    lost = lost & ~BIT(m);
    ended = ended & ~BIT(m);
    if
    :: mem[m].retired != 0 && !LEFT_OUT(RETIRED_REOPENED) -> skip
    :: else -> mem[m].retired = 0
    fi;
    if
    :: !LEFT_OUT(TAIL_STAYS_CLOSED) && mem[m].retired == 0 -> mem[m].closed = false
    :: else -> skip
    fi;
    if
    :: log_end > mem[m].base -> log_place = log_end - mem[m].base /* Recovered::go_on */
    :: else -> log_place = 0                                      /* nothing of it was written */
    fi;
    place = log_place;
    if
    :: mem[m].limit < log_place + RING -> mem[m].limit = log_place + RING
    :: else -> skip
    fi;
    if
    :: LEFT_OUT(LOG_FROM_COMMITTED) ->
       do
       :: log_place < POSITIONS && mem[m].cell[log_place] >= COMMITTED -> log_place++
       :: else -> break
       od;
       place = log_place
    :: else -> skip
    fi
  }
}

inline end_flushing() {
  d_step {
    flushing = false;
    ending = false;
    flushed_memory = 0;
    place = 0;
    log_place = 0;
    draining = false;
    releasing = NONE
  }
}
