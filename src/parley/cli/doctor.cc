#include "parley/cli/doctor.h"

#include <sys/resource.h>
#include <sys/stat.h>

#include <filesystem>

#include <fmt/format.h>

#include "parley/llm/models.h"
#include "parley/trail/verify.h"

namespace parley::cli {
namespace {

namespace fs = std::filesystem;

// Below this a day of chats and one backup may no longer fit.
constexpr std::uintmax_t free_bytes_min = 1U << 30;
// 512 open tenants of five descriptors each, 128 indexes of ten, and connections.
constexpr rlim_t descriptors_min = 8'192;

Finding folder_is_private(const fs::path& data) {
  struct stat info{};
  const bool fine = ::stat(data.c_str(), &info) == 0 && (info.st_mode & 077) == 0;
  return {"data folder is private", fine, fine ? data.string() : fmt::format("chmod 700 {}", data.string())};
}

Finding disk_has_room(const fs::path& data) {
  std::error_code error;
  const auto space = fs::space(data, error);
  return {"disk has room", !error && space.available >= free_bytes_min,
          fmt::format("{} MB free", space.available >> 20)};
}

Finding descriptors_suffice() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  return {"enough descriptors", limit.rlim_cur >= descriptors_min,
          fmt::format("{} allowed; fewer than {} lowers how many tenants stay open", limit.rlim_cur, descriptors_min)};
}

Finding migrations_are_applied(server::Installation& at) {
  const auto status = at.store->migration_status();
  if (!status) return {"migrations are applied", false, describe_for_operator(status.error())};
  std::string waiting;
  for (const auto& m : *status)
    if (!m.applied) waiting += fmt::format("{}/{} ", m.database, m.name);
  return {"migrations are applied", waiting.empty(), waiting.empty() ? "" : "parley migrate up: " + waiting};
}

/// Every tenant's file opens, its key opens, and its trail is whole.
void examine_tenants(server::Installation& at, std::vector<Finding>& findings) {
  const auto tenants = at.wait(at.tenants->list());
  if (!tenants) {
    findings.push_back({"tenants can be listed", false, describe_for_operator(tenants.error())});
    return;
  }
  std::int64_t bad_keys = 0, bad_trails = 0;
  std::string first;
  for (const auto& tenant : *tenants) {
    if (tenant.state != identity::TenantState::active) {
      findings.push_back(
          {"every tenant is whole", false, fmt::format("{} is neither made nor removed yet", tenant.name)});
      continue;
    }
    if (const auto key = at.wait(at.tenants->load_key(tenant.id)); !key) {
      ++bad_keys;
      if (first.empty()) first = fmt::format("{}: {}", tenant.name, describe_for_operator(key.error()));
    }
    const auto report = at.sealer->verify(tenant.id);
    if (!report || !report->whole()) {
      ++bad_trails;
      if (first.empty())
        first =
            fmt::format("{}: {}", tenant.name, report ? trail::name(report->damage()) : report.error().reason().view());
    }
  }
  findings.push_back(
      {"data keys open", bad_keys == 0, bad_keys == 0 ? fmt::format("{} tenants", tenants->size()) : first});
  findings.push_back({"trails are whole", bad_trails == 0, bad_trails == 0 ? "" : first});
}

/// Each configured model can be reached and takes our key. Costs nothing.
void examine_models(server::Installation& at, std::vector<Finding>& findings) {
  for (const auto& model : at.config().models) {
    const auto probed = at.wait(at.models->models().probe(model.name));
    if (!probed) {
      findings.push_back(
          {"models answer", false, fmt::format("{}: {}", model.name, describe_for_operator(probed.error()))});
      continue;
    }
    std::string detail = model.name;
    if (probed->failure) detail += fmt::format(": {}", llm::name(*probed->failure).view());
    if (probed->status != 0) detail += fmt::format(", status {}", probed->status);
    findings.push_back({"models answer", !probed->failure, std::move(detail)});
  }
}

}  // namespace

std::vector<Finding> examine(server::Installation& at) {
  std::vector<Finding> findings{folder_is_private(at.folder().path()), disk_has_room(at.folder().path()),
                                descriptors_suffice(), migrations_are_applied(at)};
  examine_tenants(at, findings);
  examine_models(at, findings);
  return findings;
}

}  // namespace parley::cli
