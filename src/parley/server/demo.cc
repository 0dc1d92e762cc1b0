#include "parley/server/demo.h"

#include <unistd.h>

#include <fstream>

#include <fmt/format.h>

#include "parley/identity/gate.h"
#include "parley/identity/project.h"

namespace parley::server {
namespace {

constexpr std::string_view demo_tenant = "Demo";

Result<ProjectRef> make_project(Installation& at) {
  const std::string slug(demo_slug);
  auto tenant = PARLEY_TRY(at.wait(at.tenants->find_by_name(std::string(demo_tenant))));
  if (auto found = PARLEY_TRY(at.wait(at.tenants->find_slug(slug)))) {
    // Somebody else's project of that name is theirs; the demo must not write into it.
    if (!tenant || found->tenant != tenant->id)
      return fail(Code::conflict, "another tenant has a project with the demo's slug; serve without --demo", slug);
    return *std::move(found);
  }
  if (!tenant) tenant = PARLEY_TRY(at.wait(at.tenants->create(std::string(demo_tenant))));
  identity::NewProject wanted{.name = "Parley documentation", .slug = slug};
  wanted.access.visibility = Visibility::public_project;
  wanted.settings = identity::to_settings(
      {.initial_message = "Ask anything about Parley. Every answer is quoted from its documentation.",
       .suggested_questions = {"How do I ingest a folder of Markdown?", "How do I create an API key?",
                               "What happens when the documents do not hold an answer?", "How do I take a backup?"}});
  PARLEY_TRY(at.wait(at.tenants->create_project(tenant->id, std::move(wanted))));
  auto made = PARLEY_TRY(at.wait(at.tenants->find_slug(slug)));
  if (!made) return fail(Code::internal, "the demo project was made and cannot be found");
  return *std::move(made);
}

/// Ingestion reads files, so the compiled-in pages are laid out as files.
Result<void> lay_out(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::remove_all(folder, error);
  std::filesystem::create_directories(folder, error);
  for (const auto& document : embedded_documents()) {
    std::ofstream file(folder / document.name, std::ios::binary);
    file.write(document.bytes.data(), static_cast<std::streamsize>(document.bytes.size()));
    if (!file.flush()) return fail(Code::storage_full, "the demo's documents cannot be written", folder.string());
  }
  return {};
}

}  // namespace

Result<void> make_demo(Installation& at, const std::function<void(std::string_view)>& say) {
  const auto project = PARLEY_TRY(make_project(at));
  const auto permit = identity::Gate::authorize<knowledge::IngestDocuments>(at.local_operator(::geteuid()), project);
  const auto folder = at.folder().path() / "demo";
  PARLEY_TRY(lay_out(folder));
  const auto report = PARLEY_TRY(at.library->ingest(permit, {.paths = {folder}, .base_url = {}}, {}));
  if (report.added + report.changed > 0)
    say(fmt::format("Indexed {} pages of Parley's documentation.\n", report.added + report.changed));
  return {};
}

}  // namespace parley::server
