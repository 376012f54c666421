#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "client/administration.hpp"
#include "tools/bus_access.hpp"
#include "tools/command_line.hpp"
#include "tools/terminal.hpp"
#include "tools/topic_error.hpp"
#include "tools/topic_options.hpp"
#include "tools/verbs/verbs.hpp"

namespace ringway::cli {
namespace {

std::string what_it_allows(const std::string& right) {
  return right == "administer" ? "everything" : right;
}

/// People see an account once with each right, however many the reasons.
std::vector<control::AccessEntry> joined(const std::vector<control::AccessEntry>& entries) {
  std::vector<control::AccessEntry> joined;
  for (const control::AccessEntry& entry : entries) {
    const auto known = std::ranges::find_if(joined, [&](const auto& other) {
      return other.account == entry.account && other.right == entry.right;
    });
    if (known == joined.end()) {
      joined.push_back(entry);
    } else {
      known->source += ", " + entry.source;
    }
  }
  return joined;
}

Exit show(Bus& bus, const std::string& topic, const Common& common) {
  Rows rows{{"ACCOUNT", "account"}, {"MAY", "right"}, {"BECAUSE OF", "source"}};
  auto entries = Administration(bus).access(topic);
  if (common.format == Format::table) entries = joined(entries);
  for (const control::AccessEntry& entry : entries) {
    rows.add({Cell::of_text(entry.account),
              Cell{what_it_allows(entry.right), Json(entry.right)},
              Cell::of_text(entry.source)});
  }
  static_cast<void>(write_all(STDOUT_FILENO, rows.render(common.format, style_of(STDOUT_FILENO))));
  return Exit::ok;
}

Exit list(const std::string& topic, const Common& common) {
  Bus bus = connect(common);
  try {
    return show(bus, topic, common);
  } catch (const Error& error) {
    throw advised(error, topic);
  }
}

Exit change(control::ChangeAccess change, const Common& common) {
  if (change.readers.empty() && change.writers.empty() && change.admins.empty()) {
    throw Error(ErrorCode::usage, topic_thing(change.name), "no right is named",
                "say --read, --write or --admin, and whom");
  }
  Bus bus = connect(common);
  try {
    Administration(bus).change_access(change);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::not_found || error.thing() != topic_thing(change.name)) throw;
    throw advised(error, change.name);
  }
  return show(bus, change.name, common);
}

void add_change(CommandLine& line, bool grant, const VerbInfo& info) {
  const auto asked = std::make_shared<control::ChangeAccess>();
  asked->grant = grant;
  CLI::App& verb =
      line.verb(info, [asked](const Common& common) { return change(*asked, common); });
  const std::string whom = grant ? "Users and @groups that may" : "Users and @groups that may not";
  const std::string end = grant ? "" : " any more";
  verb.add_option("TOPIC", asked->name, "Topic that it is about")->required();
  add_accounts(verb, "--read", asked->readers, whom + " read it" + end);
  add_accounts(verb, "--write", asked->writers, whom + " publish to it" + end);
  add_accounts(verb, "--admin", asked->admins,
               whom + " do everything with it" + end + ", this too");
}

}  // namespace

void add_acl_grant(CommandLine& line) {
  add_change(line, true,
             {.noun = "acl",
              .name = "grant",
              .why = "Give users and groups rights to a topic, beside those it was created with; "
                     "they count at once and are kept. Needs the right to administer it. To write "
                     "is not to read, but who writes maps the ring, and must be trusted with what "
                     "others publish there. Shows who may what then.",
              .examples = "  ringway acl grant orders --read nobody,@daemon\n"
                          "  ringway acl grant orders --admin daemon"});
}

void add_acl_revoke(CommandLine& line) {
  add_change(line, false,
             {.noun = "acl",
              .name = "revoke",
              .why = "Take rights to a topic from users and groups, as they were named when these "
                     "were given. It counts for what is opened from now on: who has the topic open "
                     "goes on until it closes it or needs the supervisor for something of it, and "
                     "keeps what is mapped. End such a process to be sure ('ringway status' names "
                     "them). What the configuration of ringwayd gives is taken there. Needs the "
                     "right to administer the topic. Shows who may what then.",
              .examples = "  ringway acl revoke orders --read @daemon"});
}

void add_acl_list(CommandLine& line) {
  const auto topic = std::make_shared<std::string>();
  CLI::App& verb = line.verb({.noun = "acl",
                              .name = "list",
                              .why = "Show who may do what with a topic, and because of what: the "
                                     "topic's own lists, the configuration of ringwayd, having "
                                     "created it, or being the supervisor's user.",
                              .examples = "  ringway acl list orders"},
                             [topic](const Common& common) { return list(*topic, common); });
  verb.add_option("TOPIC", *topic, "Topic that it is about")->required();
}

}  // namespace ringway::cli
