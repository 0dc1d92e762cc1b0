#include "parley/knowledge/vocabulary.h"

#include <algorithm>
#include <array>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "parley/knowledge/terms.h"

namespace parley::knowledge {
namespace {

constexpr std::string_view weak_words =
    "create make use using set add change want need work run start put give take find look see try know tell mean say "
    "happen allow let keep show help ask call come go happen provide include become cause consider way thing kind type "
    "sort part case example time possible able available different good best new simple simply really actually "
    "currently today later now what name order";

// One group a line. Words that mean several things stand only with the meaning they have in manuals.
constexpr std::array<std::string_view, 84> groups = {
    "delete remove erase drop purge",
    "login signin authentication authenticate credential password",
    "permission authorization access role privilege right",
    "ram memory",
    "ssd disk drive storage hdd",
    "price cost fee charge pricing",
    "error failure fail problem",
    "crash die exit kill abort terminate",
    "upgrade update newer version release",
    "install installation setup deploy deployment",
    "setup configure configuration setting option",
    "switch flag option argument parameter",
    "folder directory",
    "limit cap quota throttle maximum restrict",
    "minimum least lowest",
    "maximum most highest largest",
    "least minimum",
    "key token credential secret",
    "user customer client visitor person",
    "restore recover recovery",
    "backup snapshot copy dump",
    "tls https ssl certificate encryption",
    "database db datastore",
    "send submit post emit",
    "receive get accept",
    "fast quick speed performance latency throughput",
    "exchange swap convert conversion",
    "metric monitoring observability statistics telemetry",
    "twice duplicate repeat replay again",
    "replace rotate renew swap",
    "leak compromise expose steal",
    "grow expand resize scale increase enlarge",
    "shrink reduce decrease lower",
    "node replica server machine host member",
    "boot startup launch",
    "automatic automatically service",
    "stop quit shutdown halt",
    "fix solve resolve repair troubleshoot",
    "worse exacerbate worsen",
    "retention keep store",
    "gdpr privacy personal pii",
    "log logging logs journal",
    "search find query lookup",
    "list show display enumerate",
    "page document article",
    "site website",
    "integration plugin connector",
    "documentation docs manual guide",
    "allowed permitted able",
    "forbidden prohibited disallowed",
    "required mandatory necessary must",
    "optional recommended",
    "reject refuse deny decline",
    "timeout expire expiry expiration",
    "hold reserve reservation pending",
    "chain linked sequence",
    "atomic transaction",
    "parallel concurrent concurrency simultaneous thread",
    "share reuse",
    "test check verify validate",
    "undo revert rollback cancel",
    "precision scale decimal fraction",
    "money currency amount",
    "past history historical previous",
    "rule policy",
    "license licence licensing",
    "support supported compatible compatibility",
    "bug defect issue",
    "docker container image",
    "port address",
    "command cli terminal",
    "environment variable",
    "email mail",
    "message chat conversation",
    "job task worker",
    "event notification webhook",
    "schedule cron timer",
    "encrypt encryption cipher seal",
    "hardware cpu machine",
    "dashboard console admin",
    "language locale translation",
    "begin start originate",
    "build compile",
    "download fetch",
};

constexpr std::array<std::string_view, 9> particles = {"up", "out", "in", "off", "down", "over", "on", "back", "away"};

std::vector<std::uint32_t> hashes_of(std::string_view words) {
  auto analyzer = Analyzer::make("english");
  std::vector<std::uint32_t> hashes;
  if (!analyzer) return hashes;
  for (const auto& token : analyzer->analyze(words)) hashes.push_back(token.word->hash);
  return hashes;
}

}  // namespace

bool is_weak_hash(std::uint32_t hash) {
  static const std::unordered_set<std::uint32_t> weak = [] {
    const auto hashes = hashes_of(weak_words);
    return std::unordered_set<std::uint32_t>(hashes.begin(), hashes.end());
  }();
  return weak.contains(hash);
}

std::span<const std::uint32_t> related_to(std::uint32_t hash) {
  static const auto table = [] {
    std::unordered_map<std::uint32_t, std::vector<std::uint32_t>> made;
    for (const auto group : groups) {
      const auto hashes = hashes_of(group);
      for (const auto from : hashes) {
        auto& to = made[from];
        for (const auto other : hashes) {
          if (other != from && std::ranges::find(to, other) == to.end()) to.push_back(other);
        }
      }
    }
    return made;
  }();
  const auto found = table.find(hash);
  return found == table.end() ? std::span<const std::uint32_t>() : std::span<const std::uint32_t>(found->second);
}

std::string_view particle_verb(std::string_view word) {
  for (const auto particle : particles) {
    if (word.size() >= particle.size() + 3 && word.ends_with(particle)) {
      const auto verb = word.substr(0, word.size() - particle.size());
      static constexpr std::array<std::string_view, 28> verbs = {
          "back", "set",  "log",  "sign",  "start", "shut", "roll", "check", "clean", "look",
          "time", "turn", "work", "break", "build", "lock", "plug", "scale", "fail",  "hand",
          "call", "lay",  "opt",  "drop",  "run",   "cut",  "warm", "spin"};
      return std::ranges::find(verbs, verb) != verbs.end() ? verb : std::string_view();
    }
  }
  return {};
}

bool is_particle(std::string_view word) { return std::ranges::find(particles, word) != particles.end(); }

}  // namespace parley::knowledge
