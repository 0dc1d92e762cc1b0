#include "parley/cli/selftest.h"

#include <fmt/format.h>

#include "parley/crypto/random.h"
#include "parley/identity/gate.h"
#include "parley/identity/project.h"

namespace parley::cli {

using namespace db::literals;

namespace {

std::string why(const auto& result) { return result ? "" : describe_for_operator(result.error()); }

/// Removes the tenant when the test is over, however it ends.
struct Temporary {
  server::Installation& at;
  identity::Tenant tenant;
  ~Temporary() { (void)at.wait(at.tenants->remove(tenant.id)); }
};

std::string temporary_name(server::Installation& at, std::string_view which) {
  return fmt::format("selftest {} {}", which, crypto::random_slug(at.random));
}

}  // namespace

Result<std::vector<Finding>> selftest_tenancy(server::Installation& at) {
  const Temporary a{at, PARLEY_TRY(at.wait(at.tenants->create(temporary_name(at, "A"))))};
  const Temporary b{at, PARLEY_TRY(at.wait(at.tenants->create(temporary_name(at, "B"))))};
  const auto project = PARLEY_TRY(at.wait(at.tenants->create_project(a.tenant.id, {.name = "selftest"})));

  std::vector<Finding> findings;
  const auto exists_in = [&](TenantId tenant) {
    return at.store->tenant(tenant).read_blocking(
        [&](db::TenantReader& reader) { return identity::find_project(reader, project.id); });
  };

  const auto own = exists_in(a.tenant.id);
  findings.push_back({"control: the owner reads its own row", own && own->has_value(), why(own)});

  const auto foreign = exists_in(b.tenant.id);
  findings.push_back(
      {"the same id read from another tenant finds nothing", foreign && !foreign->has_value(), why(foreign)});

  const auto written = at.store->tenant(b.tenant.id).write_blocking([&](db::TenantWriter& writer) {
    return writer.run("UPDATE projects SET name = 'taken' WHERE id = $1"_sql, project.id);
  });
  const auto after = exists_in(a.tenant.id);
  findings.push_back({"the same id written from another tenant changes nothing",
                      written && *written == 0 && after && *after && (*after)->name == "selftest", why(written)});

  const auto unscoped = at.store->control().read_blocking([](db::ControlReader& reader) {
    return reader.find("SELECT id FROM projects LIMIT 1"_sql,
                       [](const db::Row& row) { return std::string(row.text(0)); });
  });
  findings.push_back({"a query without a tenant fails at the store", !unscoped || !unscoped->has_value(), ""});

  const auto nobody = exists_in(crypto::random_id<TenantId>(at.random));
  findings.push_back({"a tenant that does not exist has no tables", !nobody || !nobody->has_value(), ""});
  return findings;
}

}  // namespace parley::cli
