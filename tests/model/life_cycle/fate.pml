/* kill -9, hang-ups and SIGTERM at any moment, as often as the budgets say; and what must hold when all is quiet. */

inline keeper_killed() {
  if
  :: phase[0] >= HAS_LISTED || phase[1] >= HAS_LISTED -> unrestored = true
  :: else -> /* nobody is left who holds anything */
     lost = ALL;
     forgiven = forgiven | (visible & ~logged)
  fi;
  keeper_ends()
}

inline judge() {
  assert(lock_holder != NONE);
  assert(phase[lock_holder] == SERVES && listening && !stopping && !replacing);
  assert(keeper_alive && has_keeper[lock_holder] && watch == WATCHED && !unrestored);
  assert((written & ~logged) == 0);
  if
  :: row ->
     assert(served != NONE && mem[served].magic && mem[served].state == SERVING);
     assert(directory && !deleted_directory);
     assert(mem[served].generation == row_generation && mem[served].base == row_base);
     assert(!mem[served].closed && kept[served] && mine[served] && mem[served].retired == 0);
     /* Every claim is settled, and everything is in the log. */
     assert(place == mem[served].tail && log_place == place);
     assert(MISSING == 0)
  :: else ->
     assert(served == NONE && !directory && !deleted_directory)
  fi;
  i = 0;
  do
  :: i < MEMORIES -> assert(!kept[i] || i == served); i++
  :: else -> break
  od;
  i = 0;
  do
  :: i < SESSIONS ->
     assert(!kept_session[i] || (knows[i] && client_alive[owner[i]]));
     assert(!knows[i] || client_alive[owner[i]]);
     i++
  :: else -> break
  od;
  i = 0;
  do
  :: i < CLIENTS ->
     if
     :: client_alive[i] ->
        assert(connected[i] && knows[session_of[i]]);
        if
        :: memory_of[i] != NONE ->
           assert(memory_of[i] == served && handle_session[i] == session_of[i]);
           assert(kept_session[session_of[i]]);
           assert(mem[served].entry_state[entry_of[i]] == 1);
           assert(mem[served].entry_session[entry_of[i]] == session_of[i]);
           assert(records[i] == 0 || mem[served].tail == POSITIONS)
        :: else -> assert(records[i] == 0 || finished[i] || !row)
        fi
     :: else -> skip
     fi;
     i++
  :: else -> break
  od;
  i = 0;
  do
  :: served != NONE && i < ENTRIES ->
     assert(mem[served].entry_state[i] == 0 || client_alive[owner[mem[served].entry_session[i]]]);
     i++
  :: else -> break
  od
}

/* Smaller searches: 1: kills once the stop has begun; 2: the first of two once its mark is made. */
#define KILLS_BEGIN (kills_after_stop == 0 || \
  (stops == 0 && (kills_after_stop == 1 || row_clean || supervisor_kills < 2)))

proctype fate() {
  byte i;
  do
  :: atomic { KILLS_BEGIN && supervisor_kills > 0 && phase[0] > 0 ->
       supervisor_kills--;
       forget_everything(0);
       alive[0] = false
     }
  :: atomic { KILLS_BEGIN && supervisor_kills > 0 && phase[1] > 0 ->
       supervisor_kills--;
       forget_everything(1);
       alive[1] = false
     }
  :: atomic { KILLS_BEGIN && keeper_kills > 0 && keeper_alive ->
       keeper_kills--;
       keeper_killed()
     }
  :: atomic { client_kills > 0 && client_alive[0] ->
       client_kills--;
       client_alive[0] = false;
       connected[0] = false
     }
  :: atomic { hang_ups > 0 && connected[0] ->
       hang_ups--;
       connected[0] = false
     }
  :: atomic { stops > 0 && !stop_wanted && listening && !stopping ->
       stops--;
       stop_wanted = true
     }
  :: atomic { timeout -> judge(); break }
  od
}
