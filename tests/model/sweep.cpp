#include "model/sweep.hpp"

#include <algorithm>
#include <map>
#include <span>
#include <string_view>
#include <tuple>
#include <utility>

#include "model/word.hpp"

namespace ringway::ring::model {
namespace {

/// Of lib/ring, not of a model around it.
bool is_shipped(const Where& where) {
  return std::string_view(where.file_name()).find("lib/ring/") != std::string_view::npos;
}

std::string_view text(Name name) {
  switch (name) {
    case Name::unused:
      return "unused";
    case Name::tail:
      return "tail";
    case Name::limit:
      return "limit";
    case Name::anchor:
      return "anchor";
    case Name::announced:
      return "announced";
    case Name::retired:
      return "retired";
    case Name::ring_end:
      return "ring_end";
    case Name::end_offset:
      return "end_offset";
    case Name::void_claims:
      return "void_claims";
    case Name::void_claim:
      return "void_claim";
    case Name::boundary:
      return "boundary";
    case Name::boundary_offset:
      return "boundary_offset";
    case Name::log_gaps:
      return "log_gaps";
    case Name::log_gap:
      return "log_gap";
    case Name::watermark:
      return "watermark";
    case Name::committed:
      return "committed";
    case Name::magic:
      return "magic";
    case Name::nonce:
      return "nonce";
    case Name::stamp:
      return "stamp";
    case Name::word:
      return "word";
    case Name::length:
      return "length";
    case Name::seen:
      return "slot.tail";
    case Name::mode:
      return "mode";
    case Name::share_wanted:
      return "share_wanted";
    case Name::pin:
      return "pin";
    case Name::sleepers:
      return "sleepers";
    case Name::data:
      return "data";
    case Name::seq:
      return "seq";
    case Name::doorbell:
      return "doorbell";
    case Name::death:
      return "death";
    case Name::full_fence:
      return "full_fence";
    case Name::write_fence:
      return "write_fence";
    case Name::read_fence:
      return "read_fence";
    case Name::publisher_fence:
      return "publisher_fence";
    case Name::sleeper_barrier:
      return "sleeper_barrier";
    case Name::consumers:
      return "consumers";
    case Name::supervisor:
      return "supervisor";
  }
  return {};
}

std::string text(Name name, Op op) {
  static constexpr std::string_view kTexts[] = {".load", ".store", ".change", ".cas", "", ".wake"};
  return std::string(text(name)).append(kTexts[static_cast<unsigned>(op)]);
}

/// `writer` of `…/lib/ring/writer.hpp`
std::string stem(std::string_view file) {
  file.remove_prefix(file.rfind('/') + 1);
  return std::string(file.substr(0, file.find('.')));
}

/// `repair` of `Outcome ringway::ring::repair(const View&, …) [with …]`, and of a lambda in it,
/// `ringway::ring::repair<View, Slot>(…)::<lambda()>`.
std::string function_name(std::string_view pretty) {
  pretty = pretty.substr(0, pretty.find("::<lambda"));
  pretty = pretty.substr(0, pretty.find('('));
  if (pretty.ends_with('>')) {  // the lambda's arguments
    unsigned depth = 0;
    do {
      depth += pretty.ends_with('>');
      depth -= pretty.ends_with('<');
      pretty.remove_suffix(1);
    } while (depth > 0);
  }
  pretty.remove_prefix(std::min(pretty.size(), pretty.rfind(':') + 1));
  return std::string(pretty.substr(pretty.rfind(' ') + 1));
}

bool same_place(const Where& a, const Where& b) {
  return a.line() == b.line() && a.column() == b.column() &&
         std::string_view(a.file_name()) == b.file_name();
}

/// What an operation may become.
std::vector<std::memory_order> weaker_orders(Op op, std::memory_order order) {
  using enum std::memory_order;
  switch (order) {
    case seq_cst:
      if (op == Op::load) return {acquire, relaxed};
      if (op == Op::store) return {release, relaxed};
      return {acq_rel};
    case acq_rel:
      return {acquire, release};
    case release:
    case acquire:
      if (op == Op::fence) return {};  // dropped says the same
      return {relaxed};
    default:
      return {};
  }
}

}  // namespace

template <class T>
T* LastRead<T>::find(const Access& access) {
  for (std::size_t i = 0; i < count_; ++i) {
    Entry& entry = entries_[i];
    if (entry.thread == rl::thread_index() && entry.name == access.name &&
        entry.index == access.index) {
      return &entry.value;
    }
  }
  return nullptr;
}

template <class T>
void LastRead<T>::set(const Access& access, const T& value) {
  if (T* last = find(access)) {
    *last = value;
  } else {
    entries_.at(count_++) = {rl::thread_index(), access.name, access.index, value};
  }
}

template <class T>
void LastRead<T>::forget(T* value) {
  for (std::size_t i = 0; i < count_; ++i) {
    if (&entries_[i].value == value) entries_[i] = entries_[--count_];
  }
}

void Survey::before(const Access& access) {
  if (!is_shipped(access.where)) return;
  std::size_t i = 0;
  while (i < count_ &&
         !(same_place(met_[i].access.where, access.where) && met_[i].access.name == access.name)) {
    ++i;
  }
  if (i == count_) met_.at(count_++) = {access, false, 0};
  Met& met = met_[i];
  met.models |= std::uint64_t{1} << model_;
  if (access.op != Op::load) return;
  const Met* const* last = last_read_.find(access);
  if (last != nullptr && *last != &met) met.again = true;
  last_read_.set(access, &met);
}

std::vector<Site> Survey::sites() const {
  std::vector<Site> sites;
  for (const Met& met : std::span(met_).first(count_)) {
    const Where& where = met.access.where;
    const std::string function = function_name(where.function_name());
    Site site{.name = stem(where.file_name()) + ' ' + function + ' ' +
                      text(met.access.name, met.access.op),
              .file = where.file_name(),
              .line = where.line(),
              .column = where.column(),
              .function = function,
              .what = met.access.name,
              .op = met.access.op,
              .order = met.access.order,
              .again = met.again,
              .models = {}};
    for (std::size_t model = 0; model < 64; ++model) {
      if ((met.models >> model & 1) != 0) site.models.push_back(model);
    }
    sites.push_back(std::move(site));
  }
  std::ranges::sort(sites, {}, [](const Site& site) {
    return std::tuple(std::string_view(site.file), site.line, site.column);
  });
  std::map<std::string, unsigned> named;
  for (Site& site : sites) {
    const unsigned number = ++named[site.name];
    if (number > 1) site.name += " #" + std::to_string(number);
  }
  return sites;
}

std::string Mutant::change_name() const {
  switch (change) {
    case Change::weaker:
      break;
    case Change::dropped:
      return "dropped";
    case Change::late:
      return "late";
    case Change::repeated:
      return "repeated";
    case Change::torn:
      return "torn";
  }
  static constexpr std::string_view kOrders[] = {"relaxed", "consume", "acquire",
                                                 "release", "acq_rel", "seq_cst"};
  return std::string(kOrders[static_cast<unsigned>(order)]);
}

std::vector<Mutant> mutants_of(const std::vector<Site>& sites) {
  std::vector<Mutant> mutants;
  for (const Site& site : sites) {
    const auto add = [&](Change change, std::memory_order order) {
      mutants.push_back({&site, change, order});
    };
    // A ring is opened, and filled, before there is anybody who could see in which order.
    const bool alone = site.function == "open_ring" || site.function == "carry_over";
    if (!alone) {
      for (const std::memory_order order : weaker_orders(site.op, site.order)) {
        add(Change::weaker, order);
      }
    }
    if (site.op != Op::load && site.op != Op::cas) add(Change::dropped, site.order);
    if (site.op == Op::store && !alone) add(Change::late, site.order);
    if (site.op == Op::load && site.again) add(Change::repeated, site.order);
    if (site.op == Op::cas) add(Change::torn, site.order);
  }
  return mutants;
}

bool SweptMutation::here(const Access& access) const {
  const Site& site = *mutant_.site;
  return access.where.line() == site.line && access.where.column() == site.column &&
         access.name == site.what && access.where.file_name() == site.file;
}

void SweptMutation::begin() {
  read_.clear();
  held_.fill({});
}

std::memory_order SweptMutation::order(const Access& access) {
  return mutant_.change == Change::weaker && here(access) ? mutant_.order : access.order;
}

bool SweptMutation::dropped(const Access& access) {
  return mutant_.change == Change::dropped && here(access);
}

bool SweptMutation::torn(const Access& access) {
  return mutant_.change == Change::torn && here(access);
}

std::optional<std::uint64_t> SweptMutation::remembered(const Access& access) {
  if (mutant_.change != Change::repeated || !here(access)) return {};
  std::uint64_t* const last = read_.find(access);
  if (last == nullptr) return {};
  const std::uint64_t value = *last;
  read_.forget(last);
  return value;
}

void SweptMutation::loaded(const Access& access, std::uint64_t value) {
  if (mutant_.change != Change::repeated || access.name != mutant_.site->what) return;
  if (is_shipped(access.where) && !here(access)) read_.set(access, value);
}

bool SweptMutation::held(const Access& access, Bare& bare) {
  if (mutant_.change != Change::late || !here(access)) return false;
  auto& held = held_.at(rl::thread_index());
  if (held) held->bare->store_bare(held->value, held->order);
  held = {&bare, access.value, access.order};
  return true;
}

void SweptMutation::after(const Access& access) {
  if (mutant_.change != Change::late || access.op == Op::load || access.op == Op::fence) return;
  auto& held = held_.at(rl::thread_index());
  if (!held) return;
  may_die();  // between the two
  const Store store = *held;
  held.reset();  // first: storing leads to another thread
  store.bare->store_bare(store.value, store.order);
}

void SweptMutation::died() {
  held_.at(rl::thread_index()).reset();
}

}  // namespace ringway::ring::model
