#include "model/mutation.hpp"

#include "model/word.hpp"

namespace ringway::ring::model {

bool Delay::held(const Access& access, Bare& bare) {
  if (!when_(access)) return false;
  const unsigned thread = rl::thread_index();
  stores_[thread].at(count_[thread]++) = {&bare, access.value, access.order};
  return true;
}

void Delay::after(const Access& access) {
  if (!until_(access)) return;
  const unsigned thread = rl::thread_index();
  for (std::size_t i = 0; i < count_[thread]; ++i) {
    const Store& store = stores_[thread][i];
    store.bare->store_bare(store.value, store.order);
  }
  count_[thread] = 0;
}

std::optional<std::uint64_t> Repeat::remembered(const Access& access) {
  if (!when_(access)) return {};
  const unsigned thread = rl::thread_index();
  for (std::size_t i = 0; i < count_[thread]; ++i) {
    const Load& load = loads_[thread][i];
    if (load.name == access.name && load.index == access.index) return load.value;
  }
  return {};
}

void Repeat::loaded(const Access& access, std::uint64_t value) {
  const unsigned thread = rl::thread_index();
  for (std::size_t i = 0; i < count_[thread]; ++i) {
    Load& load = loads_[thread][i];
    if (load.name == access.name && load.index == access.index) {
      load.value = value;
      return;
    }
  }
  loads_[thread].at(count_[thread]++) = {access.name, access.index, value};
}

void Early::before(const Access& access) {
  if (!at_(access)) return;
  const unsigned thread = rl::thread_index();
  std::size_t count = 0;
  for (std::size_t i = 0; i < known_count; ++i) {
    const auto [name, index, bare] = known[i];
    if (!what_({name, index, Op::load, 0, 0, std::memory_order::acquire})) continue;
    loads_[thread].at(count++) = {name, index, bare->load_bare(std::memory_order::acquire), uses_};
  }
  count_[thread] = count;
}

std::optional<std::uint64_t> Early::remembered(const Access& access) {
  const unsigned thread = rl::thread_index();
  for (std::size_t i = 0; i < count_[thread]; ++i) {
    Load& load = loads_[thread][i];
    if (load.name == access.name && load.index == access.index && load.uses > 0) {
      --load.uses;
      return load.value;
    }
  }
  return {};
}

}  // namespace ringway::ring::model
