#pragma once

#include <chrono>
#include <expected>
#include <filesystem>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "parley/base/uuid.h"

namespace parley::cli {

// What each command was given. Paths are absolute already, in the folder the command was typed in.

struct Serve {
  std::optional<std::string> listen;
  std::filesystem::path tls_cert, tls_key;
  bool demo = false;
};
struct TenantCreate {
  std::string name;
};
struct TenantList {};
struct TenantRequireSecondFactor {
  std::string rule;  ///< "on" or "off"
  std::string tenant;
};
struct ProjectCreate {
  std::string tenant, name, slug;
  bool is_private = false;
  std::vector<std::string> origins;
};
/// What is not given stays as it is.
struct ProjectSet {
  std::string project;
  std::optional<bool> is_private, server_reads, biel_compat;
  std::optional<std::string> visitors;  ///< "verified" or "any"
  std::vector<std::string> origins, origins_removed;
};
struct ProjectList {
  std::string tenant;
};
struct Ingest {
  std::string project;
  std::optional<std::string> base_url;
  std::optional<std::string> groups;
  std::vector<std::filesystem::path> paths;
};
struct SourceList {
  std::string project;
};
struct SourceGroups {
  std::string project, name, groups;
  bool everybody = false;
};
struct SourceRemove {
  std::string project, name;
};
struct Search {
  std::string project, words;
};
struct Ask {
  std::string project, question;
};
struct Eval {
  std::string project;
  std::filesystem::path file;
};
/// For one project, or for all of a tenant's.
struct KeyCreate {
  std::string project, tenant, scopes, kind = "secret", name, expires = "90d", exception;
  std::vector<std::string> origins, addresses, groups;
  bool all_groups = false;
};
struct KeyList {
  std::string project, tenant;
};
struct KeyRevoke {
  std::string id;
};
struct KeyEnable {
  std::string id;
};
struct KeyRotate {
  std::string id, overlap = "24h", exception;
};
struct IssuerAdd {
  std::string project, name, issuer, audience, jwks_url;
  std::filesystem::path jwks;
  bool shared_secret = false;
  std::vector<std::string> groups;
  bool no_groups = false;
};
struct IssuerList {
  std::string project;
};
struct IssuerRemove {
  std::string project, name;
};
struct UserCreate {
  std::string email, tenant, role = "viewer";
};
struct UserList {
  std::string tenant;
};
struct UserDisable {
  std::string email;
};
struct UserEnable {
  std::string email;
};
struct UserResetPassword {
  std::string email;
};
struct UserResetSecondFactor {
  std::string email;
};
struct UserRole {
  std::string email, tenant, role;
};
struct UserGroups {
  std::string email, tenant;
  std::vector<std::string> groups;
  bool none = false;
};
struct UserRemove {
  std::string email, tenant;
};
/// How an organisation's people sign in elsewhere.
struct ProviderAdd {
  std::string tenant, name, issuer, client_id, secret, authentication, group_claim = "groups", default_role;
  std::vector<std::string> scopes, groups, domains;
  bool creates_accounts = false;
};
struct ProviderList {
  std::string tenant;
};
struct ProviderRemove {
  std::string tenant, id;
};
struct Routes {};
struct TrailVerify {
  std::string tenant, head;
  std::filesystem::path seals;
};
struct TrailSeal {
  std::string tenant;
};
struct TrailExport {
  std::string tenant;
};
struct TrailShow {
  std::string tenant;
  int count = 50;
};
struct AccessReportMake {};
struct MigrateStatus {};
struct MigrateUp {};
struct Backup {
  std::filesystem::path to;
};
struct Restore {
  std::filesystem::path from;
  bool verify = false;
};
struct Doctor {};
struct SelftestTenancy {};

using Command = std::variant<Serve, TenantCreate, TenantList, TenantRequireSecondFactor, ProjectCreate, ProjectSet,
                             ProjectList, Ingest, SourceList, SourceGroups, SourceRemove, Search, Ask, Eval, KeyCreate,
                             KeyList, KeyRevoke, KeyEnable, KeyRotate, IssuerAdd, IssuerList, IssuerRemove, UserCreate,
                             UserList, UserDisable, UserEnable, UserResetPassword, UserResetSecondFactor, UserRole,
                             UserGroups, UserRemove, ProviderAdd, ProviderList, ProviderRemove, Routes, TrailVerify,
                             TrailSeal, TrailExport, TrailShow, AccessReportMake, MigrateStatus, MigrateUp, Backup,
                             Restore, Doctor, SelftestTenancy>;

struct CommandLine {
  std::filesystem::path data;
  bool json = false;
  Command command;
};

/// Why there is no command: text to print and the status to exit with (0 for --help).
struct NoCommand {
  std::string text;
  int status = 2;
};

/// Reads what was typed in `folder`, without the program's name.
std::expected<CommandLine, NoCommand> parse_command_line(const std::vector<std::string>& arguments,
                                                         const std::filesystem::path& folder);

}  // namespace parley::cli
