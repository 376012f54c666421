/* A client with one producer (lib/client: bus_state.cpp, producer_state.cpp). What it asks of the
 * supervisor is answered in one step, or by several that lead to a reply, which reaches it while it
 * is connected. */

#define HAS_HANDLE(c) (memory_of[c] != NONE)
#define MY_WORD word[handle_session[me]]

/* BusState::keep_attached, connect_locked */
#define GREETS(c) (listening && !connected[c] && client_alive[c] && \
  !(LEFT_OUT(CLIENT_NEVER_LOOKS) && session_of[c] != NONE))
/* Bus::create_topic, by the first client */
#define CREATES(c) (c == 0 && connected[c] && !created && !finished[c])
/* ProducerState::reopen, BusState::open */
#define OPENS(c) (connected[c] && !HAS_HANDLE(c) && !finished[c] && (c != 0 || created) && \
  records[c] > 0)
/* ~ProducerState */
#define CLOSES(c) (closes > 0 && connected[c] && HAS_HANDLE(c) && word[handle_session[c]] == 0 && \
  handle_session[c] == session_of[c])
/* Bus::delete_topic, by the first client */
#define DELETES(c) (c == 0 && deletions > 0 && connected[c] && created && !finished[c])

inline drop_handle(c) {
  memory_of[c] = NONE;
  handle_session[c] = NONE;
  entry_of[c] = 0
}

proctype client(byte me) {
  byte m, p;
  {
    do
    /* ProducerState::keep_going: the session is another one; between two claims */
    :: atomic {
         HAS_HANDLE(me) && MY_WORD == 0 && handle_session[me] != session_of[me] &&
         !LEFT_OUT(STALE_HANDLE) -> drop_handle(me)
       }
    /* ProducerState::keep_going: the topic is deleted */
    :: atomic {
         HAS_HANDLE(me) && MY_WORD == 0 && mem[memory_of[me]].state == DELETED ->
         drop_handle(me);
         finished[me] = true
       }
    /* ProducerState::keep_going: another ring; Handles: the entry moves along */
    :: atomic {
         HAS_HANDLE(me) && MY_WORD == 0 && connected[me] && listening && served != NONE &&
         mem[memory_of[me]].state == REPLACED && served != memory_of[me] &&
         handle_session[me] == session_of[me] && !LEFT_OUT(REPLACED_NOT_SEEN) ->
         if
         :: mem[served].entry_state[entry_of[me]] == 1 &&
            mem[served].entry_session[entry_of[me]] == session_of[me] -> memory_of[me] = served
         :: else -> drop_handle(me)
         fi
       }
    /* likewise: the topic was deleted meanwhile */
    :: atomic {
         HAS_HANDLE(me) && MY_WORD == 0 && connected[me] && listening && served == NONE && !row &&
         mem[memory_of[me]].state == REPLACED ->
         drop_handle(me);
         finished[me] = true
       }
    /* Writer::try_claim: intent, tail, owned */
    :: atomic {
         HAS_HANDLE(me) && MY_WORD == 0 && records[me] > 0 && !mem[memory_of[me]].closed &&
         mem[memory_of[me]].tail < mem[memory_of[me]].limit && mem[memory_of[me]].tail < POSITIONS ->
         m = memory_of[me];
         p = mem[m].tail;
         /* The space is that of the record one ring before, which must be in the log, if there is one. */
         assert(p < RING || !row || mem[m].cell[p - RING] != COMMITTED ||
                HAS(logged, OFFSET(m, p - RING)));
         mem[m].cell[p] = CLAIMED_BY(me);
         mem[m].tail++;
         MY_WORD = p + 1;
         m = 0;
         p = 0
       }
    /* Writer::commit: the stamp; idle again */
    :: atomic {
         HAS_HANDLE(me) && MY_WORD > 0 && mem[memory_of[me]].cell[MY_WORD - 1] == VOID ->
         MY_WORD = 0 /* Verdict::voided: `fenced`; it publishes again */
       }
    :: atomic {
         HAS_HANDLE(me) && MY_WORD > 0 && mem[memory_of[me]].cell[MY_WORD - 1] != VOID ->
         m = memory_of[me];
         p = MY_WORD - 1;
         assert(mem[m].cell[p] == CLAIMED_BY(me)); /* nobody else has settled it */
         mem[m].cell[p] = COMMITTED;
         MY_WORD = 0;
         records[me]--;
         assert(!HAS(visible, OFFSET(m, p))); /* no offset is given twice */
         assert(!HAS(ended, m));              /* nothing is committed after the drain */
         visible = visible | BIT(OFFSET(m, p));
         if
         :: HAS(lost, m) -> forgiven = forgiven | BIT(OFFSET(m, p))
         :: else -> skip
         fi;
         m = 0;
         p = 0
       }
    od
  } unless { !client_alive[me] }
}
