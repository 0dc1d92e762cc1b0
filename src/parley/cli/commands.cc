#include "parley/cli/commands.h"

#include <algorithm>
#include <ctime>
#include <fstream>
#include <iterator>

#include <fmt/format.h>
#include <boost/json.hpp>

#include "parley/api/actions.h"
#include "parley/api/issuer_actions.h"
#include "parley/api/key_actions.h"
#include "parley/api/openapi.h"
#include "parley/api/people.h"
#include "parley/cli/doctor.h"
#include "parley/cli/selftest.h"
#include "parley/identity/gate.h"
#include "parley/identity/origin.h"
#include "parley/knowledge/eval.h"
#include "parley/server/access_report.h"
#include "parley/text/utf8.h"
#include "parley/trail/seal.h"
#include "parley/trail/verify.h"

namespace parley::cli {

namespace json = boost::json;

namespace {

using server::Installation;
using server::Output;

// The whole file is read at once; the largest public sets of questions have a tenth of this.
constexpr std::uintmax_t eval_file_bytes_max = 100'000'000;

/// Text for a terminal: names and documents may hold control characters, which would be commands to it.
std::string printable(std::string_view text) {
  std::string safe;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    const bool c1 = c == 0xC2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xA0;
    if (c1) {
      safe += '?';
      ++i;
    } else if ((c < 0x20 && c != '\n' && c != '\t') || c == 0x7F) {
      safe += '?';
    } else {
      safe += text[i];
    }
  }
  return safe;
}

/// Shows a result in one of its two forms.
template <class Text>
void print(const CommandLine& line, Output& output, const json::value& value, Text text) {
  output.out(line.json ? json::serialize(value) + "\n" : printable(text()));
}

/// What a command works with.
struct Shell {
  const CommandLine& line;
  Installation& at;
  Output& output;
  std::uint32_t uid;

  template <class Text>
  void print(const json::value& value, Text text) const {
    cli::print(line, output, value, text);
  }
};

/// A tenant by its name or id.
Result<identity::Tenant> load_tenant(const Shell& shell, const std::string& name_or_id) {
  if (const auto id = TenantId::parse(name_or_id)) return shell.at.wait(shell.at.tenants->load(*id));
  auto found = PARLEY_TRY(shell.at.wait(shell.at.tenants->find_by_name(name_or_id)));
  if (!found) return fail(Code::not_found, "no such tenant", name_or_id);
  return *std::move(found);
}

Result<ProjectRef> load_project(const Shell& shell, const std::string& slug) {
  auto found = PARLEY_TRY(shell.at.wait(shell.at.tenants->find_slug(slug)));
  if (!found) return fail(Code::not_found, "no such project", slug);
  return *std::move(found);
}

/// Puts an operator's deed on the tenant's trail, before it is done: what cannot be recorded is not done.
Result<void> record(const Shell& shell, const TenantId& tenant, Literal action, trail::Object object,
                    std::optional<crypto::Digest> reference = {}) {
  return shell.at.wait(
      shell.at.trail->append_now(shell.at.store->tenant(tenant), {.kind = trail::Kind::operation,
                                                                  .actor = trail::Actor::local_user(shell.uid),
                                                                  .action = action,
                                                                  .object = std::move(object),
                                                                  .decision = trail::Decision::allowed,
                                                                  .rule = "command_line",
                                                                  .request = {},
                                                                  .reference = reference}));
}

Result<int> run(const Shell& shell, const TenantCreate& command) {
  const auto tenant = PARLEY_TRY(shell.at.wait(shell.at.tenants->create(command.name)));
  PARLEY_TRY(record(shell, tenant.id, "tenant.create", trail::Object("tenant", tenant.id)));
  shell.print(json::object{{"id", tenant.id.to_string()}, {"name", tenant.name}},
              [&] { return fmt::format("created tenant {} ({})\n", tenant.name, tenant.id.to_string()); });
  return 0;
}

Result<int> run(const Shell& shell, const TenantList&) {
  const auto tenants = PARLEY_TRY(shell.at.wait(shell.at.tenants->list()));
  json::array rows;
  std::string text;
  for (const auto& tenant : tenants) {
    rows.push_back(json::object{{"id", tenant.id.to_string()}, {"name", tenant.name}});
    text += fmt::format("{}  {}\n", tenant.id.to_string(), tenant.name);
  }
  shell.print(rows, [&] { return text; });
  return 0;
}

Result<int> run(const Shell& shell, const TenantRequireSecondFactor& command) {
  const auto tenant = PARLEY_TRY(load_tenant(shell, command.tenant));
  const bool required = command.rule == "on";
  const auto by = identity::Doer::local(shell.at.local_operator(shell.uid));
  PARLEY_TRY(record(shell, tenant.id,
                    required ? Literal("tenant.require_second_factor") : Literal("tenant.allow_without_second_factor"),
                    trail::Object("tenant", tenant.id)));
  PARLEY_TRY(shell.at.wait(shell.at.members->set_second_factor_rule(
      by, tenant.id, required ? identity::SecondFactorRule::required : identity::SecondFactorRule::optional)));
  shell.print(json::object{{"id", tenant.id.to_string()}, {"second_factor_required", required}}, [&] {
    return required ? "required from now on; members without one were signed out\n" : "not required any more\n";
  });
  return 0;
}

Result<int> run(const Shell& shell, const ProjectCreate& command) {
  const auto tenant = PARLEY_TRY(load_tenant(shell, command.tenant));
  identity::NewProject wanted{.name = command.name, .slug = command.slug};
  wanted.access.visibility = command.is_private ? Visibility::private_project : Visibility::public_project;
  wanted.access.origins = command.origins;
  // Who wanted it; that it was made is recorded with the making.
  PARLEY_TRY(record(shell, tenant.id, "project.create", trail::Object("tenant", tenant.id)));
  const auto project = PARLEY_TRY(shell.at.wait(shell.at.tenants->create_project(tenant.id, wanted)));
  shell.print(json::object{{"id", project.id.to_string()},
                           {"slug", project.slug},
                           {"name", project.name},
                           {"is_private", command.is_private}},
              [&] { return fmt::format("created project {} (slug {})\n", project.name, project.slug); });
  return 0;
}

Result<int> run(const Shell& shell, const ProjectSet& command) {
  auto project = PARLEY_TRY(load_project(shell, command.project));
  ProjectAccess access = *project.access;
  if (command.is_private)
    access.visibility = *command.is_private ? Visibility::private_project : Visibility::public_project;
  if (command.server_reads) access.server_reads = ProjectAccess::ServerReads(*command.server_reads);
  if (command.biel_compat) access.biel_compat = ProjectAccess::BielCompat(*command.biel_compat);
  if (command.visitors)
    access.visitors =
        *command.visitors == "verified" ? ProjectAccess::Visitors::verified : ProjectAccess::Visitors::any;
  for (const auto& text : command.origins) {
    const auto origin = PARLEY_TRY(identity::parse_origin_pattern(text));
    if (std::ranges::find(access.origins, origin) == access.origins.end()) access.origins.push_back(origin);
  }
  for (const auto& text : command.origins_removed) {
    const auto origin = PARLEY_TRY(identity::parse_origin_pattern(text));
    if (std::erase(access.origins, origin) == 0)
      return fail(Code::not_found, "the project does not list this origin", origin);
  }
  PARLEY_TRY(record(shell, project.tenant, "project.set_access", trail::Object("project", project.project)));
  PARLEY_TRY(shell.at.wait(shell.at.tenants->set_access(project.tenant, project.project, access)));
  project.access = std::make_shared<const ProjectAccess>(std::move(access));
  shell.print(api::to_json(project), [&] {
    std::string text = fmt::format("{}: {}", project.slug,
                                   project.access->visibility == Visibility::private_project ? "private" : "public");
    if (project.access->server_reads == ProjectAccess::ServerReads::on) text += ", server reads";
    if (project.access->biel_compat == ProjectAccess::BielCompat::on) text += ", biel_compat";
    if (project.access->visitors == ProjectAccess::Visitors::verified) text += ", verified visitors only";
    text += project.access->origins.empty() ? "; no site may use it\n" : "; sites:\n";
    for (const auto& origin : project.access->origins) text += "  " + origin + "\n";
    return text;
  });
  return 0;
}

Result<int> run(const Shell& shell, const ProjectList& command) {
  const auto tenant = PARLEY_TRY(load_tenant(shell, command.tenant));
  const auto session = shell.at.store->tenant(tenant.id);
  const auto projects =
      PARLEY_TRY(session.read_blocking([](db::TenantReader& reader) { return identity::list_projects(reader); }));
  json::array rows;
  std::string text;
  for (const auto& project : projects) {
    rows.push_back(json::object{{"id", project.id.to_string()}, {"slug", project.slug}, {"name", project.name}});
    text += fmt::format("{:<24} {}\n", project.slug, project.name);
  }
  shell.print(rows, [&] { return text; });
  return 0;
}

/// A bar that redraws its line on a terminal; silent elsewhere, where lines would only pile up.
class ProgressBar {
 public:
  explicit ProgressBar(Output& output) : output_(output) {}
  void show(std::size_t done, std::size_t total) {
    if (!output_.is_terminal() || total == 0) return;
    constexpr std::size_t width = 30;
    const std::size_t filled = done * width / total;
    if (filled == drawn_ && done != total) return;
    drawn_ = filled;
    output_.err(fmt::format("\r[{}{}] {}/{} documents", std::string(filled, '#'), std::string(width - filled, '.'),
                            done, total));
    if (done == total) output_.err("\n");
  }

 private:
  Output& output_;
  std::size_t drawn_ = SIZE_MAX;
};

Result<int> run(const Shell& shell, const Ingest& command) {
  const auto project = PARLEY_TRY(load_project(shell, command.project));
  for (const auto& path : command.paths) {
    if (path.string().find("://") != std::string::npos || path.string().find(":/") != std::string::npos)
      return fail(Code::unsupported, "reading from the web is not offered yet; give files or folders", path.string());
  }
  PARLEY_TRY(record(shell, project.tenant, "project.ingest", trail::Object("project", project.project)));
  ProgressBar bar(shell.output);
  const auto report = PARLEY_TRY(shell.at.library->ingest(
      identity::Gate::authorize<knowledge::IngestDocuments>(shell.at.local_operator(shell.uid), project),
      {.paths = command.paths, .base_url = command.base_url, .groups = command.groups},
      [&](const knowledge::IngestProgress& progress) {
        bar.show(progress.files_done, progress.files_total);
        return shell.output.cancelled() ? knowledge::GoOn::no : knowledge::GoOn::yes;
      }));
  json::array skipped;
  for (const auto& file : report.skipped_files) {
    skipped.push_back(json::object{{"path", file.path}, {"reason", file.reason}});
    shell.output.err(fmt::format("skipped {}: {}\n", file.path, file.reason));
  }
  shell.print(json::object{{"added", report.added},
                           {"changed", report.changed},
                           {"unchanged", report.unchanged},
                           {"removed", report.removed},
                           {"passages", report.passages},
                           {"bytes", report.bytes},
                           {"skipped", report.skipped},
                           {"skipped_files", std::move(skipped)}},
              [&] {
                return fmt::format("{} added, {} changed, {} unchanged, {} removed, {} skipped; {} passages\n",
                                   report.added, report.changed, report.unchanged, report.removed, report.skipped,
                                   report.passages);
              });
  // A file that could not be read is a failure somebody must see, though everything else is in.
  return report.skipped == 0 ? 0 : 1;
}

Result<int> run(const Shell& shell, const SourceList& command) {
  const auto project = PARLEY_TRY(load_project(shell, command.project));
  const auto sources = PARLEY_TRY(shell.at.store->tenant(project.tenant).read_blocking([&](db::TenantReader& reader) {
    return knowledge::list_sources(reader, project.project);
  }));
  json::array rows;
  std::string text;
  for (const auto& source : sources) {
    rows.push_back(json::object{
        {"kind", source.kind}, {"name", source.name}, {"base_url", source.base_url}, {"groups", source.groups}});
    text += fmt::format("{:<6} {}  {}\n", source.kind, source.name,
                        source.groups.empty() ? "everybody" : "groups " + source.groups);
  }
  shell.print(rows, [&] { return text; });
  return 0;
}

Result<int> run(const Shell& shell, const SourceGroups& command) {
  const auto project = PARLEY_TRY(load_project(shell, command.project));
  if (command.groups.empty() != command.everybody)
    return fail(Code::invalid_argument, "say --groups a,b or --everybody");
  PARLEY_TRY(
      record(shell, project.tenant, knowledge::RestrictSource::info.name, trail::Object("project", project.project)));
  const bool changed = PARLEY_TRY(shell.at.library->restrict_source(
      identity::Gate::authorize<knowledge::RestrictSource>(shell.at.local_operator(shell.uid), project), command.name,
      command.groups));
  shell.print(json::object{{"name", command.name}, {"changed", changed}},
              [&] { return changed ? "changed\n" : "it was so already\n"; });
  return 0;
}

Result<int> run(const Shell& shell, const SourceRemove& command) {
  const auto project = PARLEY_TRY(load_project(shell, command.project));
  PARLEY_TRY(
      record(shell, project.tenant, knowledge::RemoveSource::info.name, trail::Object("project", project.project)));
  const auto removed = PARLEY_TRY(shell.at.library->remove_source(
      identity::Gate::authorize<knowledge::RemoveSource>(shell.at.local_operator(shell.uid), project), command.name));
  shell.print(json::object{{"name", command.name}, {"removed", removed}},
              [&] { return fmt::format("removed with {} documents\n", removed); });
  return 0;
}

Result<int> run(const Shell& shell, const Search& command) {
  const auto project = PARLEY_TRY(load_project(shell, command.project));
  const auto hits = PARLEY_TRY(shell.at.wait(shell.at.library->search(
      identity::Gate::authorize<api::SearchProject>(shell.at.local_operator(shell.uid), project), command.words)));
  json::array results;
  std::string text;
  for (const auto& hit : hits) {
    results.push_back(json::object{{"title", hit.title},
                                   {"page_title", hit.page_title},
                                   {"url", hit.url},
                                   {"fragment", hit.fragment},
                                   {"score", hit.score}});
    text += fmt::format("{}\n  {}\n  {}\n", hit.title, hit.url, hit.fragment);
  }
  if (hits.empty()) text = "nothing found\n";
  shell.print(json::object{{"results", std::move(results)}}, [&] { return text; });
  return 0;
}

Result<int> run(const Shell& shell, const Ask& command) {
  const auto project = PARLEY_TRY(load_project(shell, command.project));
  const auto message_length = text::length_in_code_points(command.question);
  if (message_length == 0 || message_length > chat::message_length_max)
    return fail(Code::invalid_argument, "a question has 1 to 1000 characters");
  chat::Question question{.message = Untrusted<>(command.question, Origin::user),
                          .chat = {},
                          .page_url = {},
                          .email = {},
                          .metadata = "command_line",
                          .request = RequestId()};
  const auto found = PARLEY_TRY(shell.at.wait(
      shell.at.turns->ask(identity::Gate::authorize<chat::Ask>(shell.at.local_operator(shell.uid), project),
                          std::move(question), nullptr)));
  json::array citations;
  std::string text = found.text + "\n";
  int number = 0;
  for (const auto& c : found.citations) {
    citations.push_back(json::object{{"title", c.title}, {"url", c.url}, {"quote", c.quote}});
    text += fmt::format("\n[{}] {}\n    {}\n", ++number, c.title, c.url);
  }
  shell.print(json::object{{"answered", found.answered},
                           {"answer", found.text},
                           {"citations", std::move(citations)},
                           {"chat_uuid", found.chat.to_string()}},
              [&] { return text; });
  return 0;
}

json::object to_json(const knowledge::EvalReport& r) {
  return {{"questions", r.questions},
          {"ranked", r.ranked},
          {"hit_at_1", r.hit_at_1},
          {"hit_at_5", r.hit_at_5},
          {"hit_at_10", r.hit_at_10},
          {"mrr", r.mrr},
          {"ndcg_at_10", r.ndcg_at_10},
          {"first_citation_relevant", r.first_citation_relevant},
          {"answerable", r.answerable},
          {"answer_containment", r.answer_containment},
          {"answered_share", r.answered_share},
          {"unanswerable", r.unanswerable},
          {"abstention_precision", r.abstention_precision},
          {"abstention_recall", r.abstention_recall}};
}

std::string to_text(const knowledge::EvalReport& r) {
  return fmt::format(
      "questions              {}\n"
      "  with known pages     {}\n"
      "    hit@1              {:.3f}\n"
      "    hit@5              {:.3f}\n"
      "    hit@10             {:.3f}\n"
      "    MRR                {:.3f}\n"
      "    nDCG@10            {:.3f}\n"
      "    first citation     {:.3f}  of a right page\n"
      "  with known answers   {}\n"
      "    contained          {:.3f}  in a quote\n"
      "    answered           {:.3f}\n"
      "  without an answer    {}\n"
      "    abstention recall  {:.3f}\n"
      "abstention precision   {:.3f}\n",
      r.questions, r.ranked, r.hit_at_1, r.hit_at_5, r.hit_at_10, r.mrr, r.ndcg_at_10, r.first_citation_relevant,
      r.answerable, r.answer_containment, r.answered_share, r.unanswerable, r.abstention_recall,
      r.abstention_precision);
}

Result<int> run(const Shell& shell, const Eval& command) {
  const auto project = PARLEY_TRY(load_project(shell, command.project));
  std::ifstream file(command.file, std::ios::binary);
  if (!file) return fail(Code::not_found, "the file of questions cannot be read", command.file.string());
  std::error_code error;
  if (std::filesystem::file_size(command.file, error) > eval_file_bytes_max || error)
    return fail(Code::too_large, "a file of questions has at most 100 MB", command.file.string());
  const std::string lines((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const auto questions = PARLEY_TRY(knowledge::parse_eval_lines(lines));
  const auto report = PARLEY_TRY(shell.at.library->evaluate(
      identity::Gate::authorize<chat::Ask>(shell.at.local_operator(shell.uid), project), questions));
  shell.print(to_json(report), [&] { return to_text(report); });
  return 0;
}

void print_created(const Shell& shell, const identity::CreatedKey& created) {
  shell.print(api::to_json(created, shell.at.clock.now()), [&] {
    return fmt::format("{}\n\nThis is the only time the key is shown. id {}, until {}.\n", created.text.reveal(),
                       created.record.id.to_string(), to_rfc3339(created.record.expires_at));
  });
}

/// Whose keys are meant: a project's, or a tenant's with all its projects.
struct Whose {
  TenantId tenant;
  std::optional<ProjectRef> project;
};
Result<Whose> load_whose(const Shell& shell, const std::string& project, const std::string& tenant) {
  if (project.empty()) return Whose{.tenant = PARLEY_TRY(load_tenant(shell, tenant)).id, .project = {}};
  auto found = PARLEY_TRY(load_project(shell, project));
  return Whose{.tenant = found.tenant, .project = std::move(found)};
}

Result<int> run(const Shell& shell, const KeyCreate& command) {
  const auto whose = PARLEY_TRY(load_whose(shell, command.project, command.tenant));
  const auto lifetime = parse_duration(command.expires);
  if (!lifetime) return fail(Code::invalid_argument, "--expires takes a time such as 90d, 12h or 30s");
  auto draft = PARLEY_TRY(shell.at.keys->draft(
      {.tenant = whose.tenant,
       .project = whose.project ? std::optional(whose.project->project) : std::nullopt,
       .kind = command.kind == "public" ? identity::KeyKind::public_key : identity::KeyKind::secret,
       .name = command.name,
       .scopes = PARLEY_TRY(parse_scopes(command.scopes)),
       .origins = command.origins,
       .addresses = command.addresses,
       .groups = {.extent = command.all_groups ? ReadableGroups::Extent::all : ReadableGroups::Extent::listed,
                  .names = command.groups},
       .lifetime = *lifetime,
       .exception = command.exception}));
  PARLEY_TRY(record(shell, whose.tenant, "key.create", trail::Object("key", draft.record.id)));
  // A site must be on the key's list and on the project's. Whoever names it here may change both and means both.
  if (whose.project) {
    ProjectAccess access = *whose.project->access;
    for (const auto& origin : draft.record.origins)
      if (std::ranges::find(access.origins, origin) == access.origins.end()) access.origins.push_back(origin);
    if (access.origins.size() != whose.project->access->origins.size()) {
      const ProjectId project = whose.project->project;
      PARLEY_TRY(record(shell, whose.tenant, "project.set_access", trail::Object("project", project)));
      PARLEY_TRY(shell.at.wait(shell.at.tenants->set_access(whose.tenant, project, std::move(access))));
    }
  }
  print_created(shell, PARLEY_TRY(shell.at.wait(shell.at.keys->add(std::move(draft)))));
  return 0;
}

std::string to_text(const identity::KeyRecord& key, Timestamp now) {
  std::string text =
      fmt::format("{}  …{}  {:<6}  {:<7}  until {}  {}", key.id.to_string(), key.last4, identity::name(key.kind),
                  identity::name(key.state_at(now)), to_rfc3339(key.expires_at), key.scopes.to_string());
  if (!key.name.empty()) text += fmt::format("  \"{}\"", key.name);
  if (!key.project) text += "  all projects";
  for (const auto& range : key.addresses) text += "  from " + range.to_string();
  if (key.groups.extent == ReadableGroups::Extent::all) text += "  all groups";
  for (const auto& group : key.groups.names) text += "  group " + group;
  if (key.exception)
    text += fmt::format("  exception of {}: {}", to_rfc3339(key.exception->since), key.exception->reason);
  return text + "\n";
}

Result<int> run(const Shell& shell, const KeyList& command) {
  const auto whose = PARLEY_TRY(load_whose(shell, command.project, command.tenant));
  const auto keys = PARLEY_TRY(shell.at.wait(shell.at.keys->list(whose.tenant)));
  const auto now = shell.at.clock.now();
  json::array rows;
  std::string text;
  for (const auto& key : keys) {
    if (whose.project && key.project && *key.project != whose.project->project) continue;
    rows.push_back(api::to_json(key, now));
    text += to_text(key, now);
  }
  shell.print(rows, [&] { return text; });
  return 0;
}

/// A key by its id, whosever it is.
Result<identity::KeyRecord> load_key(const Shell& shell, const std::string& text) {
  const auto id = KeyId::parse(text);
  if (!id) return fail(Code::invalid_argument, "a key is named by its id, not by its text");
  const auto tenant = PARLEY_TRY(shell.at.wait(shell.at.keys->load_tenant_of(*id)));
  return shell.at.wait(shell.at.keys->load(tenant, *id));
}

Result<int> run(const Shell& shell, const KeyRevoke& command) {
  const auto key = PARLEY_TRY(load_key(shell, command.id));
  PARLEY_TRY(record(shell, key.tenant, "key.revoke", trail::Object("key", key.id)));
  PARLEY_TRY(shell.at.wait(shell.at.keys->revoke(key.tenant, key.id)));
  shell.print(json::object{{"id", key.id.to_string()}, {"revoked", true}}, [] { return "revoked\n"; });
  return 0;
}

Result<int> run(const Shell& shell, const KeyEnable& command) {
  auto key = PARLEY_TRY(load_key(shell, command.id));
  PARLEY_TRY(record(shell, key.tenant, "key.enable", trail::Object("key", key.id)));
  PARLEY_TRY(shell.at.wait(shell.at.keys->enable(key.tenant, key.id)));
  key = PARLEY_TRY(load_key(shell, command.id));
  shell.print(api::to_json(key, shell.at.clock.now()), [] { return "enabled\n"; });
  return 0;
}

Result<int> run(const Shell& shell, const KeyRotate& command) {
  const auto key = PARLEY_TRY(load_key(shell, command.id));
  const auto overlap = parse_duration(command.overlap);
  if (!overlap) return fail(Code::invalid_argument, "--overlap takes a time such as 24h");
  auto rotation =
      PARLEY_TRY(shell.at.wait(shell.at.keys->draft_rotation(key.tenant, key.id, *overlap, command.exception)));
  PARLEY_TRY(record(shell, key.tenant, "key.rotate", trail::Object("key", key.id)));
  PARLEY_TRY(record(shell, key.tenant, "key.create", trail::Object("key", rotation.successor.record.id)));
  print_created(shell, PARLEY_TRY(shell.at.wait(shell.at.keys->rotate(std::move(rotation)))));
  return 0;
}

Result<std::string> load_key_set(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return fail(Code::not_found, "the file of keys cannot be read", path.string());
  std::error_code error;
  if (std::filesystem::file_size(path, error) > api::actions::IssuerInput::jwks_length_max || error)
    return fail(Code::too_large, "a set of keys has at most 32 KB", path.string());
  return std::string((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
}

std::string to_text(const identity::IdentityIssuer& issuer) {
  std::string text =
      fmt::format("{}  \"{}\"  iss {}  aud {}  ", issuer.id.to_string(), issuer.name, issuer.issuer, issuer.audience);
  switch (issuer.kind) {
    case identity::IdentityIssuer::Kind::shared_secret: text += "shared secret"; break;
    case identity::IdentityIssuer::Kind::inline_keys: text += "key set"; break;
    case identity::IdentityIssuer::Kind::keys_at: text += "keys at " + issuer.jwks_url; break;
  }
  if (issuer.groups.extent == ReadableGroups::Extent::all) text += "  any group";
  for (const auto& group : issuer.groups.names) text += "  group " + group;
  return text + "\n";
}

Result<int> run(const Shell& shell, const IssuerAdd& command) {
  const auto project = PARLEY_TRY(load_project(shell, command.project));
  identity::NewIdentityIssuer wanted{.tenant = project.tenant,
                                     .project = project.project,
                                     .name = command.name,
                                     .issuer = command.issuer,
                                     .audience = command.audience,
                                     .keys = identity::SharedSecret{},
                                     .groups = {.names = command.groups}};
  if (command.groups.empty() && !command.no_groups) wanted.groups.extent = ReadableGroups::Extent::all;
  if (!command.jwks.empty()) wanted.keys = identity::InlineKeys{PARLEY_TRY(load_key_set(command.jwks))};
  if (!command.jwks_url.empty()) wanted.keys = identity::KeysAt{command.jwks_url};
  auto draft = PARLEY_TRY(shell.at.issuers->draft(std::move(wanted)));
  PARLEY_TRY(record(shell, project.tenant, "issuer.add", trail::Object("identity_issuer", draft.issuer.id)));
  const auto created = PARLEY_TRY(shell.at.wait(shell.at.issuers->add(std::move(draft))));
  shell.print(api::to_json(created), [&] {
    std::string text = to_text(created.issuer);
    if (!created.secret.empty())
      text += fmt::format("\n{}\n\nThis is the only time the secret is shown. Its text is the key of HS256.\n",
                          created.secret.reveal());
    return text;
  });
  return 0;
}

Result<int> run(const Shell& shell, const IssuerList& command) {
  const auto project = PARLEY_TRY(load_project(shell, command.project));
  json::array rows;
  std::string text;
  for (const auto& issuer : PARLEY_TRY(shell.at.wait(shell.at.issuers->list(project.tenant, project.project)))) {
    rows.push_back(api::to_json(issuer));
    text += to_text(issuer);
  }
  shell.print(rows, [&] { return text; });
  return 0;
}

Result<int> run(const Shell& shell, const IssuerRemove& command) {
  const auto project = PARLEY_TRY(load_project(shell, command.project));
  const auto issuer = PARLEY_TRY(shell.at.wait(shell.at.issuers->load(project.tenant, project.project, command.name)));
  PARLEY_TRY(record(shell, project.tenant, "issuer.remove", trail::Object("identity_issuer", issuer.id)));
  PARLEY_TRY(shell.at.wait(shell.at.issuers->remove(project.tenant, project.project, issuer.id)));
  shell.print(json::object{{"id", issuer.id.to_string()}, {"removed", true}}, [] { return "removed\n"; });
  return 0;
}

/// An account by its address or id.
Result<identity::Account> load_account(const Shell& shell, const std::string& email_or_id) {
  if (const auto id = AccountId::parse(email_or_id)) return shell.at.wait(shell.at.accounts->load(*id));
  auto found = PARLEY_TRY(shell.at.wait(shell.at.accounts->find_by_email(email_or_id)));
  if (!found) return fail(Code::not_found, "no such account", email_or_id);
  return *std::move(found);
}

/// Puts what is done to a whole account on the trails of all tenants it belongs to.
Result<void> record_everywhere(const Shell& shell, AccountId account, Literal action) {
  for (const auto& each : PARLEY_TRY(shell.at.wait(shell.at.members->list_of(account))))
    PARLEY_TRY(record(shell, each.tenant, action, trail::Object("account", account)));
  return {};
}

json::object describe(const identity::Account& account) {
  json::object object{{"id", account.id.to_string()},
                      {"email", account.email},
                      {"created_at", to_rfc3339(account.created_at)},
                      {"confirmed", account.confirmed_at.has_value()},
                      {"disabled", account.disabled_at.has_value()}};
  return object;
}

void print_link(const Shell& shell, json::object object, const identity::Letter& letter) {
  const auto minutes = std::chrono::duration_cast<std::chrono::minutes>(identity::reset_link_lifetime).count();
  object["token"] = letter.token.reveal();
  object["expires_in"] = minutes * 60;
  shell.print(object, [&] {
    return fmt::format("{}\n\nWith this token {} can choose a password, once, within {} minutes.\n",
                       letter.token.reveal(), letter.email, minutes);
  });
}

Result<int> run(const Shell& shell, const UserCreate& command) {
  const auto tenant = PARLEY_TRY(load_tenant(shell, command.tenant));
  const auto role = identity::parse_role(command.role);
  if (!role) return fail(Code::invalid_argument, "no such role", command.role);
  auto account = PARLEY_TRY(shell.at.wait(shell.at.accounts->find_by_email(command.email)));
  const bool is_new = !account;
  PARLEY_TRY(record(shell, tenant.id, "user.create",
                    account ? trail::Object("account", account->id) : trail::Object("account")));
  if (is_new) account = PARLEY_TRY(shell.at.wait(shell.at.accounts->create_without_password(command.email)));
  PARLEY_TRY(shell.at.wait(shell.at.members->add(shell.at.local_operator(shell.uid), tenant.id, account->id, *role)));
  json::object object = describe(*account);
  object["role"] = identity::name(*role);
  if (is_new) {
    print_link(shell, std::move(object),
               PARLEY_TRY(shell.at.wait(
                   shell.at.account_links->create_reset(shell.at.local_operator(shell.uid), account->id))));
  } else {
    shell.print(object, [&] {
      return fmt::format("{} is {} of {} now\n", account->email, identity::name(*role), tenant.name);
    });
  }
  return 0;
}

Result<int> run(const Shell& shell, const UserList& command) {
  json::array rows;
  std::string text;
  if (command.tenant.empty()) {
    for (const auto& account : PARLEY_TRY(shell.at.wait(shell.at.accounts->list(shell.at.local_operator(shell.uid))))) {
      rows.push_back(describe(account));
      text +=
          fmt::format("{}  {}{}\n", account.id.to_string(), account.email, account.disabled_at ? "  (disabled)" : "");
    }
  } else {
    const auto tenant = PARLEY_TRY(load_tenant(shell, command.tenant));
    const auto by = identity::Doer::local(shell.at.local_operator(shell.uid));
    for (const auto& row : PARLEY_TRY(shell.at.wait(shell.at.members->list(by, tenant.id)))) {
      rows.push_back(json::object{{"id", row.member.account.to_string()},
                                  {"email", row.email},
                                  {"role", identity::name(row.member.role)},
                                  {"groups", json::array(row.member.groups.begin(), row.member.groups.end())},
                                  {"confirmed", row.confirmed},
                                  {"disabled", row.disabled},
                                  {"second_factor", row.has_factor}});
      std::string groups;
      for (const auto& group : row.member.groups) groups += "  group " + group;
      text +=
          fmt::format("{}  {:<13}  {}{}{}{}\n", row.member.account.to_string(), identity::name(row.member.role),
                      row.email, row.has_factor ? "  (second factor)" : "", row.disabled ? "  (disabled)" : "", groups);
    }
  }
  shell.print(rows, [&] { return text; });
  return 0;
}

Result<int> run(const Shell& shell, const UserDisable& command) {
  const auto account = PARLEY_TRY(load_account(shell, command.email));
  PARLEY_TRY(record_everywhere(shell, account.id, "user.disable"));
  PARLEY_TRY(shell.at.wait(shell.at.accounts->disable(shell.at.local_operator(shell.uid), account.id)));
  shell.print(json::object{{"id", account.id.to_string()}, {"disabled", true}}, [] { return "disabled\n"; });
  return 0;
}

Result<int> run(const Shell& shell, const UserEnable& command) {
  const auto account = PARLEY_TRY(load_account(shell, command.email));
  PARLEY_TRY(record_everywhere(shell, account.id, "user.enable"));
  PARLEY_TRY(shell.at.wait(shell.at.accounts->enable(shell.at.local_operator(shell.uid), account.id)));
  shell.print(json::object{{"id", account.id.to_string()}, {"disabled", false}}, [] { return "enabled\n"; });
  return 0;
}

Result<int> run(const Shell& shell, const UserResetPassword& command) {
  const auto account = PARLEY_TRY(load_account(shell, command.email));
  PARLEY_TRY(record_everywhere(shell, account.id, "user.reset_password"));
  const auto letter =
      PARLEY_TRY(shell.at.wait(shell.at.account_links->create_reset(shell.at.local_operator(shell.uid), account.id)));
  print_link(shell, json::object{{"id", account.id.to_string()}, {"email", account.email}}, letter);
  return 0;
}

Result<int> run(const Shell& shell, const UserResetSecondFactor& command) {
  const auto account = PARLEY_TRY(load_account(shell, command.email));
  PARLEY_TRY(record_everywhere(shell, account.id, "user.reset_second_factor"));
  PARLEY_TRY(shell.at.wait(shell.at.second_factors->reset(shell.at.local_operator(shell.uid), account.id)));
  shell.print(json::object{{"id", account.id.to_string()}, {"second_factor", false}},
              [] { return "removed; the account is signed out everywhere\n"; });
  return 0;
}

Result<int> run(const Shell& shell, const UserRole& command) {
  const auto account = PARLEY_TRY(load_account(shell, command.email));
  const auto tenant = PARLEY_TRY(load_tenant(shell, command.tenant));
  const auto role = identity::parse_role(command.role);
  if (!role) return fail(Code::invalid_argument, "no such role", command.role);
  PARLEY_TRY(record(shell, tenant.id, "user.role", trail::Object("account", account.id)));
  const auto by = identity::Doer::local(shell.at.local_operator(shell.uid));
  PARLEY_TRY(shell.at.wait(shell.at.members->change_role(by, tenant.id, account.id, *role)));
  shell.print(json::object{{"id", account.id.to_string()}, {"role", identity::name(*role)}},
              [&] { return fmt::format("{} is {} of {} now\n", account.email, identity::name(*role), tenant.name); });
  return 0;
}

Result<int> run(const Shell& shell, const UserGroups& command) {
  const auto account = PARLEY_TRY(load_account(shell, command.email));
  const auto tenant = PARLEY_TRY(load_tenant(shell, command.tenant));
  PARLEY_TRY(record(shell, tenant.id, "user.groups", trail::Object("account", account.id)));
  const auto by = identity::Doer::local(shell.at.local_operator(shell.uid));
  PARLEY_TRY(shell.at.wait(shell.at.members->set_groups(by, tenant.id, account.id, command.groups)));
  const auto member = PARLEY_TRY(shell.at.wait(shell.at.members->find(account.id, tenant.id)));
  if (!member) return fail(Code::not_found, "there is no such member");
  json::array groups;
  std::string text = account.email + (member->groups.empty() ? " is in no group now\n" : " is in these groups now:\n");
  for (const auto& group : member->groups) {
    groups.emplace_back(group);
    text += "  " + group + "\n";
  }
  shell.print(json::object{{"id", account.id.to_string()}, {"groups", std::move(groups)}}, [&] { return text; });
  return 0;
}

Result<int> run(const Shell& shell, const UserRemove& command) {
  const auto account = PARLEY_TRY(load_account(shell, command.email));
  const auto tenant = PARLEY_TRY(load_tenant(shell, command.tenant));
  PARLEY_TRY(record(shell, tenant.id, "user.remove", trail::Object("account", account.id)));
  const auto by = identity::Doer::local(shell.at.local_operator(shell.uid));
  PARLEY_TRY(shell.at.wait(shell.at.members->remove(by, tenant.id, account.id)));
  shell.print(json::object{{"id", account.id.to_string()}, {"removed", true}}, [] { return "removed\n"; });
  return 0;
}

json::object describe(const identity::SignInProvider& provider) {
  json::object groups;
  for (const auto& [group, role] : provider.group_roles) groups[group] = identity::name(role);
  json::object object{{"id", provider.id.to_string()},
                      {"name", provider.name},
                      {"issuer", provider.issuer},
                      {"client_id", provider.client_id},
                      {"client_secret", provider.client_secret},
                      {"authentication", identity::name(provider.authentication)},
                      {"scopes", json::value_from(provider.scopes)},
                      {"group_claim", provider.group_claim},
                      {"groups", std::move(groups)},
                      {"email_domains", json::value_from(provider.email_domains)},
                      {"default_role", nullptr},
                      {"creates_accounts", provider.creates_accounts},
                      {"start", "/sign-in/with/" + provider.id.to_string()}};
  if (provider.default_role) object["default_role"] = identity::name(*provider.default_role);
  return object;
}

Result<identity::Role> role_of(const std::string& text) {
  const auto role = identity::parse_role(text);
  if (!role) return fail(Code::invalid_argument, "no such role", text);
  return *role;
}

Result<identity::SignInProvider> provider_of(const ProviderAdd& command, TenantId tenant) {
  identity::SignInProvider provider{.tenant = tenant,
                                    .name = command.name,
                                    .issuer = command.issuer,
                                    .client_id = command.client_id,
                                    .client_secret = command.secret,
                                    .group_claim = command.group_claim,
                                    .email_domains = command.domains,
                                    .creates_accounts = command.creates_accounts};
  if (!command.scopes.empty()) provider.scopes = command.scopes;
  if (command.secret.empty()) provider.authentication = identity::ClientAuthentication::none;
  if (const auto authentication = identity::parse_client_authentication(command.authentication))
    provider.authentication = *authentication;
  for (const auto& text : command.groups) {
    // A group may be called anything, a role may not: the last sign parts them.
    const auto equals = text.rfind('=');
    if (equals == std::string::npos) return fail(Code::invalid_argument, "--group takes GROUP=ROLE", text);
    provider.group_roles[text.substr(0, equals)] = PARLEY_TRY(role_of(text.substr(equals + 1)));
  }
  if (!command.default_role.empty()) provider.default_role = PARLEY_TRY(role_of(command.default_role));
  return provider;
}

Result<int> run(const Shell& shell, const ProviderAdd& command) {
  const auto& own = shell.at.config().own_address.origin();
  if (own.empty())
    return fail(Code::conflict, "providers send people back to our public address: set [server] public_url first");
  const auto tenant = PARLEY_TRY(load_tenant(shell, command.tenant));
  auto wanted = PARLEY_TRY(identity::check_provider(PARLEY_TRY(provider_of(command, tenant.id))));
  PARLEY_TRY(record(shell, tenant.id, "provider.create", trail::Object("tenant", tenant.id)));
  const auto provider = PARLEY_TRY(shell.at.wait(shell.at.providers->create(std::move(wanted))));
  json::object object = describe(provider);
  object["redirect_uri"] = own + "/sign-in/callback";
  // No error: whoever sets this up may put the secret there next.
  const auto secret = shell.at.providers->require_secret(provider);
  object["client_secret_found"] = secret.has_value();
  if (!secret) shell.output.err(printable(fmt::format("{}\n", describe_for_operator(secret.error()))));
  shell.print(object, [&] {
    return fmt::format("added {} ({})\nRegister there, as the address to come back to: {}/sign-in/callback\n",
                       provider.name, provider.id.to_string(), own);
  });
  return 0;
}

Result<int> run(const Shell& shell, const ProviderList& command) {
  const auto tenant = PARLEY_TRY(load_tenant(shell, command.tenant));
  json::array rows;
  std::string text;
  for (const auto& provider : PARLEY_TRY(shell.at.wait(shell.at.providers->list(tenant.id)))) {
    rows.push_back(describe(provider));
    text += fmt::format("{}  {}  {}{}\n", provider.id.to_string(), provider.name, provider.issuer,
                        provider.creates_accounts ? "  (creates accounts)" : "");
  }
  shell.print(rows, [&] { return text; });
  return 0;
}

Result<int> run(const Shell& shell, const ProviderRemove& command) {
  const auto tenant = PARLEY_TRY(load_tenant(shell, command.tenant));
  const auto id = identity::SignInProviderId::parse(command.id);
  if (!id) return fail(Code::invalid_argument, "a provider is named by its id", command.id);
  const auto provider = PARLEY_TRY(shell.at.wait(shell.at.providers->load(tenant.id, *id)));
  PARLEY_TRY(record(shell, tenant.id, "provider.remove", trail::Object("provider", provider.id)));
  PARLEY_TRY(shell.at.wait(shell.at.providers->remove(tenant.id, provider.id)));
  shell.print(json::object{{"id", provider.id.to_string()}, {"removed", true}}, [] { return "removed\n"; });
  return 0;
}

Result<int> run(const Shell& shell, const Routes&) { return print_routes(shell.line, shell.output); }

/// The tenants that a command about trails is for: the one that was named, or all.
Result<std::vector<identity::Tenant>> tenants_for(const Shell& shell, const std::string& name_or_id) {
  if (!name_or_id.empty()) return std::vector{PARLEY_TRY(load_tenant(shell, name_or_id))};
  auto tenants = PARLEY_TRY(shell.at.wait(shell.at.tenants->list()));
  // One that is being made or removed has no trail that could be whole.
  std::erase_if(tenants, [](const auto& tenant) { return tenant.state != identity::TenantState::active; });
  return tenants;
}

Result<trail::SealExport> load_seals(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return fail(Code::not_found, "the file of seals cannot be read", path.string());
  std::error_code error;
  if (std::filesystem::file_size(path, error) > trail::seal_export_bytes_max || error)
    return fail(Code::too_large, "an export of seals has at most 64 MB", path.string());
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  return trail::parse_seal_export(text);
}

json::object describe(const identity::Tenant& tenant, const trail::Report& report) {
  json::array chains;
  for (const auto& chain : report.chains) {
    chains.push_back(json::object{{"node", chain.node},
                                  {"records", chain.records},
                                  {"epochs", chain.epochs},
                                  {"head", chain.head.hex()},
                                  {"damage", trail::name(chain.damage)},
                                  {"broken_at", chain.broken_at}});
  }
  const auto& seals = report.seals;
  json::object sealed{{"count", seals.count},
                      {"records_after", seals.records_after},
                      {"damage", trail::name(seals.damage)},
                      {"broken_number", seals.broken_number}};
  if (seals.count > 0) sealed["complete_until"] = to_rfc3339(seals.last_at);
  return {{"tenant", tenant.id.to_string()},
          {"name", tenant.name},
          {"records", report.records},
          {"whole", report.whole()},
          {"damage", trail::name(report.damage())},
          {"head", trail::name(report.head)},
          {"exported_seals", trail::name(report.exported_seals)},
          {"seals", std::move(sealed)},
          {"chains", std::move(chains)}};
}

std::string explain(const identity::Tenant& tenant, const trail::Report& report) {
  std::string text;
  for (const auto& chain : report.chains) {
    text += fmt::format("{}: {} records, head {}", tenant.name, chain.records, chain.head.hex());
    if (chain.damage != trail::Damage::none)
      text += fmt::format(", {} at record {}", trail::name(chain.damage), chain.broken_at);
    text += '\n';
  }
  const auto& seals = report.seals;
  if (!report.whole()) {
    text += fmt::format("{}: {}\n", tenant.name, trail::name(report.damage()));
  } else if (seals.count > 0) {
    text +=
        fmt::format("{}: complete up to seal {} of {}; {} records since are in order, and a cut there would not show\n",
                    tenant.name, seals.count, to_rfc3339(seals.last_at), seals.records_after);
  } else {
    text += fmt::format("{}: no seal yet, so a cut end would not show (parley trail seal)\n", tenant.name);
  }
  if (seals.damage != trail::Damage::none)
    text += fmt::format("{}: {} at seal {}\n", tenant.name, trail::name(seals.damage), seals.broken_number);
  if (report.other == trail::Damage::absent)
    text += fmt::format("{}: no record at all, not even of its creation\n", tenant.name);
  else if (report.other != trail::Damage::none)
    text += fmt::format("{}: the table of heads is {}\n", tenant.name, trail::name(report.other));
  if (report.exported_seals != trail::HeadVerdict::not_asked)
    text += fmt::format("{}: the exported seals are {}\n", tenant.name,
                        report.exported_seals == trail::HeadVerdict::found ? "kept"
                        : report.exported_seals == trail::HeadVerdict::lost_epoch
                            ? "kept but for what was given up with a restore"
                            : "not kept: records they cover were cut off or written anew");
  return text;
}

Result<int> run(const Shell& shell, const TrailVerify& command) {
  std::optional<crypto::Digest> head;
  if (!command.head.empty()) {
    head = crypto::Digest::parse_hex(command.head);
    if (!head) return fail(Code::invalid_argument, "--head takes 64 hexadecimal digits");
  }
  std::optional<trail::SealExport> exported;
  if (!command.seals.empty()) exported = PARLEY_TRY(load_seals(command.seals));
  const auto tenants = PARLEY_TRY(tenants_for(shell, command.tenant));
  if (exported && std::ranges::find(tenants, exported->tenant, &identity::Tenant::id) == tenants.end())
    return fail(Code::not_found, "the exported seals are of no tenant that is verified", exported->tenant.to_string());

  json::array rows;
  std::string text;
  bool whole = true;
  bool head_seen = false;
  for (const auto& tenant : tenants) {
    const bool is_exported = exported && exported->tenant == tenant.id;
    auto report = PARLEY_TRY(shell.at.sealer->verify(tenant.id, head, is_exported ? &*exported : nullptr));
    // A head belongs to one tenant's chain, so with several it is looked for in each and must be in one.
    if (report.head == trail::HeadVerdict::found || report.head == trail::HeadVerdict::lost_epoch) head_seen = true;
    else if (command.tenant.empty()) report.head = trail::HeadVerdict::not_asked;
    whole = whole && report.whole();
    rows.push_back(describe(tenant, report));
    text += explain(tenant, report);
  }
  if (head && !head_seen) {
    whole = false;
    text += "the head that was asked for is in no chain: the newest records are missing\n";
  }
  shell.print(json::object{{"whole", whole}, {"tenants", std::move(rows)}}, [&] { return text; });
  return whole ? 0 : 1;
}

Result<int> run(const Shell& shell, const TrailSeal& command) {
  json::array rows;
  std::string text;
  for (const auto& tenant : PARLEY_TRY(tenants_for(shell, command.tenant))) {
    // Reads that are still held back belong into it.
    PARLEY_TRY(shell.at.wait(shell.at.trail_batch->flush()));
    const auto made = PARLEY_TRY(shell.at.sealer->seal(tenant.id));
    json::object row{{"tenant", tenant.id.to_string()}, {"name", tenant.name}, {"sealed", made.has_value()}};
    if (made) {
      row["number"] = made->number;
      row["digest"] = trail::digest_of(*made).hex();
      text += fmt::format("{}: seal {}, {}\n", tenant.name, made->number, trail::digest_of(*made).hex());
    } else {
      text += fmt::format("{}: nothing new since the last seal\n", tenant.name);
    }
    rows.push_back(std::move(row));
  }
  shell.print(rows, [&] { return text; });
  return 0;
}

Result<int> run(const Shell& shell, const TrailExport& command) {
  const auto tenant = PARLEY_TRY(load_tenant(shell, command.tenant));
  const auto seals = PARLEY_TRY(shell.at.sealer->export_seals(tenant.id));
  if (seals.seals.empty()) shell.output.err("there is no seal yet: parley trail seal makes one\n");
  // A file for programs, with or without --json.
  shell.output.out(trail::to_json(seals) + "\n");
  return 0;
}

Result<int> run(const Shell& shell, const TrailShow& command) {
  const auto tenant = PARLEY_TRY(load_tenant(shell, command.tenant));
  const auto session = shell.at.store->tenant(tenant.id);
  const auto records = PARLEY_TRY(
      session.read_blocking([&](db::TenantReader& reader) { return trail::list_records(reader, command.count); }));
  json::array rows;
  std::string text;
  for (const auto& r : records) {
    rows.push_back(json::object{{"seq", r.seq},
                                {"at", to_rfc3339({r.at})},
                                {"kind", r.kind},
                                {"actor_kind", r.actor_kind},
                                {"actor_id", r.actor_id},
                                {"action", r.action},
                                {"object_kind", r.object_kind},
                                {"object_id", r.object_id},
                                {"decision", r.decision},
                                {"rule", r.rule},
                                {"request_id", r.request_id},
                                {"reference", r.reference}});
    text += fmt::format("{:>6}  {}  {:<9} {:<16} {} {} by {} {} ({})\n", r.seq, to_rfc3339({r.at}), r.decision,
                        r.action, r.object_kind, r.object_id, r.actor_kind, r.actor_id, r.rule);
  }
  shell.print(rows, [&] { return text; });
  return 0;
}

Result<int> run(const Shell& shell, const AccessReportMake&) {
  const auto made = PARLEY_TRY(server::make_access_report(shell.at, shell.at.local_operator(shell.uid)));
  // In each trail that it reports on, by the digest that an approval names.
  auto tenants = PARLEY_TRY(tenants_for(shell, {}));
  for (const auto& tenant : tenants)
    PARLEY_TRY(record(shell, tenant.id, "access.report", trail::Object("tenant", tenant.id), made.digest));
  shell.print(made.report, [&] { return server::to_text(made); });
  return 0;
}

Result<int> migrate_status(const CommandLine& line, db::Store& store, Output& output) {
  const auto status = PARLEY_TRY(store.migration_status());
  json::array rows;
  std::string text;
  for (const auto& m : status) {
    rows.push_back(json::object{{"database", m.database},
                                {"number", m.number},
                                {"name", m.name},
                                {"applied", m.applied},
                                {"oldest", m.oldest}});
    text += fmt::format("{:<8} {:<28} {:<8} runs with {} and later\n", m.database, m.name,
                        m.applied ? "applied" : "waiting", m.oldest);
  }
  const bool complete = std::ranges::all_of(status, &db::MigrationStatus::applied);
  print(line, output, json::object{{"complete", complete}, {"migrations", std::move(rows)}}, [&] { return text; });
  return complete ? 0 : 1;
}

Result<int> migrate_up(const CommandLine& line, db::Store& store, const server::DataFolder& folder, Output& output) {
  const auto waiting = PARLEY_TRY(store.migration_status());
  if (std::ranges::all_of(waiting, &db::MigrationStatus::applied)) {
    print(line, output, json::object{{"migrated", false}}, [] { return "nothing to do\n"; });
    return 0;
  }
  json::object result{{"migrated", true}};
  if (store.engine() == db::Engine::sqlite) {
    const auto copy = folder.path() / "backups" / fmt::format("before-migrate-{}", std::time(nullptr));
    PARLEY_TRY(server::back_up(store, folder, copy));
    output.err(fmt::format("backup taken: {}\n", copy.string()));
    result["backup"] = copy.string();
  }
  PARLEY_TRY(store.migrate_all());
  print(line, output, result, [] { return "migrated\n"; });
  return 0;
}

Result<int> run(const Shell& shell, const MigrateStatus&) {
  return migrate_status(shell.line, *shell.at.store, shell.output);
}

Result<int> run(const Shell& shell, const MigrateUp&) {
  return migrate_up(shell.line, *shell.at.store, shell.at.folder(), shell.output);
}

Result<int> run(const Shell& shell, const Backup& command) {
  const auto report = PARLEY_TRY(server::back_up(*shell.at.store, shell.at.folder(), command.to));
  shell.print(json::object{{"folder", command.to.string()}, {"files", report.files}, {"bytes", report.bytes}}, [&] {
    return fmt::format("backed up {} files, {} bytes, to {}\n", report.files, report.bytes, command.to.string());
  });
  return 0;
}

Result<int> run(const Shell& shell, const Doctor&) {
  const auto findings = examine(shell.at);
  json::array rows;
  std::string text;
  bool well = true;
  for (const auto& finding : findings) {
    well = well && finding.fine;
    rows.push_back(json::object{{"check", finding.check.view()}, {"ok", finding.fine}, {"detail", finding.detail}});
    text += fmt::format("{:<4} {:<28} {}\n", finding.fine ? "ok" : "BAD", finding.check.view(), finding.detail);
  }
  shell.print(json::object{{"ok", well}, {"checks", std::move(rows)}}, [&] { return text; });
  return well ? 0 : 1;
}

Result<int> run(const Shell& shell, const SelftestTenancy&) {
  const auto findings = PARLEY_TRY(selftest_tenancy(shell.at));
  json::array rows;
  std::string text;
  bool held = true;
  for (const auto& finding : findings) {
    held = held && finding.fine;
    rows.push_back(json::object{{"promise", finding.check.view()}, {"held", finding.fine}, {"detail", finding.detail}});
    text += fmt::format("{:<4} {}{}{}\n", finding.fine ? "held" : "BROKEN", finding.check.view(),
                        finding.detail.empty() ? "" : ": ", finding.detail);
  }
  shell.print(json::object{{"held", held}, {"promises", std::move(rows)}}, [&] { return text; });
  return held ? 0 : 1;
}

Result<int> run(const Shell&, const Serve&) { return fail(Code::unsupported, "this server is running already"); }
Result<int> run(const Shell&, const Restore&) {
  return fail(Code::conflict, "stop the server first: a restore replaces what it works on");
}

}  // namespace

int run_command(const CommandLine& line, Installation& installation, Output& output, std::uint32_t uid) {
  const Shell shell{line, installation, output, uid};
  const auto status = std::visit([&](const auto& command) { return run(shell, command); }, line.command);
  return status ? *status : print_error(line, output, status.error());
}

bool is_migrate(const Command& command) {
  return std::holds_alternative<MigrateStatus>(command) || std::holds_alternative<MigrateUp>(command);
}

int migrate(const CommandLine& line, db::Store& store, const server::DataFolder& folder, Output& output) {
  const auto status = std::holds_alternative<MigrateUp>(line.command) ? migrate_up(line, store, folder, output)
                                                                      : migrate_status(line, store, output);
  return status ? *status : print_error(line, output, status.error());
}

int print_routes(const CommandLine& line, Output& output) {
  const auto rows = api::routes_json();
  std::string text;
  for (const auto& row : rows) {
    const auto& r = row.as_object();
    const auto* scope = r.if_contains("scope");
    text += fmt::format(
        "{:<7} {:<36} {}\n", std::string_view(r.at("method").as_string()), std::string_view(r.at("path").as_string()),
        scope ? std::string(scope->as_string()) : "public: " + std::string(r.at("public_reason").as_string()));
  }
  print(line, output, rows, [&] { return text; });
  return 0;
}

int print_restored(const CommandLine& line, Output& output, const server::RestoreReport& report) {
  print(line, output,
        json::object{{"ok", true},
                     {"verified_only", report.tenants == 0},
                     {"files", report.backup.files},
                     {"bytes", report.backup.bytes},
                     {"tenants", report.tenants}},
        [&] {
          auto text =
              fmt::format("{} files, {} bytes, all as they were written\n", report.backup.files, report.backup.bytes);
          if (report.tenants > 0)
            text += fmt::format("restored {} tenants into {}; indexes are made again when first used\n", report.tenants,
                                line.data.string());
          return text;
        });
  return 0;
}

int print_error(const CommandLine& line, Output& output, const Error& error) {
  if (line.json) {
    output.out(
        json::serialize(json::object{
            {"error", error.reason().view()}, {"code", name(error.code())}, {"detail", error.operator_detail()}}) +
        "\n");
  }
  output.err(printable(fmt::format("parley: {}\n", describe_for_operator(error))));
  return 1;
}

}  // namespace parley::cli
