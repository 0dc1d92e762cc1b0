#include "parley/knowledge/ingest.h"

#include <algorithm>
#include <map>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "parley/crypto/random.h"
#include "parley/knowledge/groups.h"
#include "parley/knowledge/parse.h"

namespace parley::knowledge {
namespace {

namespace fs = std::filesystem;

// One transaction costs a sync, a fraction of a millisecond, and holds back other writers of the tenant while it runs;
// what is gathered for it is in memory.
constexpr std::size_t batch_documents_max = 256;
constexpr std::size_t batch_bytes_max = 8 << 20;
// A rebuild commits its index in steps of this much text, so that an interrupted one goes on where it was.
constexpr std::size_t sync_commit_bytes = 64 << 20;
constexpr std::size_t sync_read_bytes = 4 << 20;
constexpr std::size_t base_url_bytes_max = 2000;
constexpr std::size_t groups_file_bytes_max = 16 << 10;  // 32 names of 64 characters, and blanks

bool has_scheme(std::string_view text) { return text.starts_with("https://") || text.starts_with("http://"); }

// A path as part of a url: '/' stays, what is not allowed to stand there is %-encoded.
void append_encoded(std::string& out, std::string_view path) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  for (const char c : path) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::string_view("-._~/!$&'()*+,;=:@").find(c) != std::string_view::npos;
    if (plain) {
      out += c;
    } else {
      out += '%';
      out += digits[byte >> 4];
      out += digits[byte & 15];
    }
  }
}

crypto::Digest digest_of(std::string_view bytes, std::string_view base_url, Format format,
                         std::string_view folder_restriction) {
  crypto::Sha256 hash;
  const std::string front = std::to_string(parser_version) + "\n" + std::to_string(static_cast<int>(format)) + "\n" +
                            std::string(base_url) + "\n" + std::string(folder_restriction) + "\n";
  return hash.update(front).update(bytes).finish();
}

Result<ParsedDocument> parse(std::string_view bytes, std::string_view path, Format format) {
  switch (format) {
    case Format::markdown: return parse_markdown(bytes, path);
    case Format::mdx: return parse_mdx(bytes, path);
    case Format::html: return parse_html(bytes, path);
    case Format::text: return parse_text(bytes, path);
  }
  return fail(Code::internal, "a format without a parser");
}

// One folder or file of the request, and the source it belongs to.
struct Root {
  Source source;
  std::string prefix;  // below the source's folder: empty, or ending in '/' for a folder, or a file's path
  bool is_file = false;
  FoundFiles found;  // paths relative to the source's folder
};

bool is_within(std::string_view path, const Root& root) {
  return root.is_file ? path == root.prefix : path.starts_with(root.prefix);
}

class Ingestion {
 public:
  Ingestion(db::TenantSession session, ProjectId project, IndexSink& index, const Clock& clock, ProgressFn progress)
      : session_(std::move(session)), project_(project), index_(index), clock_(clock), progress_(std::move(progress)) {}

  Result<IngestReport> run(const IngestRequest& request) {
    PARLEY_TRY(find_roots(request));
    PARLEY_TRY(load_stored());
    for (const Root& root : roots_) now_.files_total += root.found.files.size();
    for (Root& root : roots_) {
      for (auto& skipped : root.found.skipped) skip(std::move(skipped.path), std::move(skipped.reason));
      for (const FoundFile& file : root.found.files) {
        PARLEY_TRY(take(root, file));
        ++now_.files_done;
        if (progress_ && progress_(now_) == GoOn::no) return stop();
      }
    }
    remove_missing();
    PARLEY_TRY(store_batch());
    const SyncReport synced = PARLEY_TRY(sync_index(session_, project_, index_));
    report_.revision = synced.revision;
    report_.bytes = now_.bytes_done;
    return std::move(report_);
  }

 private:
  /// What was read stays, and nothing is removed: what was not looked at yet is not gone.
  Result<IngestReport> stop() {
    PARLEY_TRY(store_batch());
    PARLEY_TRY(sync_index(session_, project_, index_));
    return fail(Code::cancelled, "stopped; what was read by then stays, and another run does the rest");
  }

  Result<void> find_roots(const IngestRequest& request) {
    if (request.base_url && !request.base_url->empty() && !is_base_url(*request.base_url))
      return fail(Code::invalid_argument, "the base url must be http(s), with a host and without query or fragment");
    std::vector<Source> known =
        PARLEY_TRY(session_.read_blocking([&](db::TenantReader& reader) { return list_sources(reader, project_); }));
    std::erase_if(known, [](const Source& source) { return source.kind != "file"; });

    std::optional<std::string> groups;
    if (request.groups) groups = join_groups(PARLEY_TRY(parse_groups(*request.groups)));

    // Everything is looked up before anything is stored: a mistyped path must not leave half an ingestion.
    std::vector<Root> roots;
    for (const fs::path& asked : request.paths) {
      std::error_code error;
      const fs::path real = fs::canonical(asked, error);
      if (error) return fail(Code::not_found, "no such file or folder", asked.string() + ": " + error.message());
      Root root;
      root.is_file = !fs::is_directory(real, error);
      const fs::path folder = root.is_file ? real.parent_path() : real;
      // The widest folder of earlier runs that holds it, so that a part is refreshed in place and not taken twice.
      const Source* holder = nullptr;
      const std::string folder_name = folder.string();
      for (const Source& source : known) {
        const std::string with_slash = source.name.ends_with('/') ? source.name : source.name + "/";
        const bool holds = source.name == folder_name || folder_name.starts_with(with_slash);
        if (holds && (holder == nullptr || source.name.size() < holder->name.size())) holder = &source;
      }
      if (holder != nullptr) root.source = *holder;
      else
        root.source = {.id = crypto::random_id<SourceId>(),
                       .kind = "file",
                       .name = folder_name,
                       .base_url = {},
                       .created_at = {},
                       .groups = {}};
      if (request.base_url) {
        root.source.base_url = *request.base_url;
        while (root.source.base_url.ends_with('/')) root.source.base_url.pop_back();
      }
      if (holder == nullptr) known.push_back(root.source);
      std::string below = folder.lexically_relative(root.source.name).string();
      if (below == ".") below.clear();
      if (!below.empty()) below += '/';
      if (root.is_file) {
        const std::string name = real.filename().string();
        root.prefix = below + name;
        const auto format = find_format(name);
        if (format) root.found.files.push_back({real, root.prefix, *format});
        else root.found.skipped.push_back({asked.string(), "not a format that is read"});
      } else {
        root.prefix = below;
        root.found = PARLEY_TRY(find_files(real));
        for (auto& file : root.found.files) file.path = below + file.path;
        for (auto& path : root.found.unread) path = below + path;
        for (auto& skipped : root.found.skipped) skipped.path = below + skipped.path;
      }
      roots.push_back(std::move(root));
    }
    const Timestamp now = clock_.now();
    bool readers_changed = false;
    for (Root& root : roots) {
      bool changed = false;
      auto put = [&](db::TenantWriter& writer) -> Result<Source> {
        auto source = PARLEY_TRY(put_source(writer, project_, root.source.kind, root.source.name, root.source.base_url,
                                            root.source.id, now));
        if (groups) changed = PARLEY_TRY(set_source_groups(writer, project_, source.id, *groups));
        return source;
      };
      root.source = PARLEY_TRY(session_.write_blocking(put));
      readers_changed = readers_changed || changed;
      roots_.push_back(std::move(root));
    }
    if (readers_changed) PARLEY_TRY(sync_index(session_, project_, index_));
    return {};
  }

  Result<void> load_stored() {
    auto documents =
        PARLEY_TRY(session_.read_blocking([&](db::TenantReader& reader) { return list_documents(reader, project_); }));
    for (auto& document : documents) stored_.emplace(document.path, Known{document.source, document.digest});
    return {};
  }

  /// The doors of a folder and of those above it, up to the one that was ingested. None if a file of groups there
  /// cannot be read.
  std::optional<std::string> restriction_of_folder(const fs::path& folder, const fs::path& top) {
    const auto known = folders_.find(folder.string());
    if (known != folders_.end()) return known->second;
    std::optional<std::string> restriction = std::string();
    if (folder != top && folder.has_relative_path()) restriction = restriction_of_folder(folder.parent_path(), top);
    std::error_code error;
    const auto file = folder / groups_file_name;
    const auto status = fs::symlink_status(file, error);
    if (restriction && status.type() != fs::file_type::not_found) {
      auto names = read_file(file, groups_file_bytes_max);
      if (names) {
        while (names->ends_with('\n') || names->ends_with('\r')) names->pop_back();
        std::erase(*names, '\r');
        std::ranges::replace(*names, '\n', ',');
      }
      auto groups = names ? parse_groups(*names) : std::unexpected(names.error());
      // An empty file says nothing of who may read, and was hardly made to say "everybody".
      if (!groups || groups->empty()) restriction.reset();
      else restriction = both(*restriction, join_groups(*groups));
    }
    folders_.emplace(folder.string(), restriction);
    return restriction;
  }

  Result<void> take(const Root& root, const FoundFile& file) {
    // A path that another folder's document has taken gets the folder's name in front.
    std::string path = file.path;
    const auto taken = [&](const std::string& candidate) {
      const auto known = stored_.find(candidate);
      return known != stored_.end() && known->second.source != root.source.id;
    };
    if (taken(path)) path = fs::path(root.source.name).filename().string() + "/" + path;
    if (taken(path)) {
      skip(file.path, "another folder has a document of this path");
      return {};
    }

    const auto folders = restriction_of_folder(file.file.parent_path(), root.source.name);
    if (!folders) {
      skip(file.path, std::string("the groups in a ") + std::string(groups_file_name) + " above it cannot be read");
      return {};
    }
    auto bytes = read_file(file.file, document_bytes_max);
    if (!bytes) {
      const Code code = bytes.error().code();
      // For now only: the document stays. Too large or not a file: what is stored is no longer what stands there.
      if (code != Code::too_large && code != Code::unsupported && code != Code::not_found) seen_.insert(path);
      skip(file.path, describe(bytes.error()));
      return {};
    }
    now_.bytes_done += bytes->size();
    const crypto::Digest digest = digest_of(*bytes, root.source.base_url, file.format, *folders);
    const auto known = stored_.find(path);
    if (known != stored_.end() && known->second.digest == digest) {
      ++report_.unchanged;
      seen_.insert(path);
      return {};
    }
    auto parsed = parse(*bytes, path, file.format);
    if (!parsed) {
      skip(file.path, describe(parsed.error()));
      return {};
    }
    if (parsed->facts.groups_unreadable) {
      skip(file.path, "its groups cannot be read");
      return {};
    }
    seen_.insert(path);
    ++(known == stored_.end() ? report_.added : report_.changed);
    report_.passages += parsed->document.passages.size();
    const bool has_site = !root.source.base_url.empty();
    parsed->document.url = citation_url(root.source.base_url, has_site ? file.path : path, parsed->facts.address);
    stored_.insert_or_assign(path, Known{root.source.id, digest});
    // Passages are about as large as what they were made from.
    batch_bytes_ += bytes->size();
    auto restriction = both(*folders, restriction_of({parsed->facts.groups}));
    batch_.push_back({crypto::random_id<DocumentId>(), root.source.id, *std::move(parsed), digest,
                      static_cast<std::int64_t>(bytes->size()), std::move(restriction)});
    if (batch_.size() >= batch_documents_max || batch_bytes_ >= batch_bytes_max) return store_batch();
    return {};
  }

  void remove_missing() {
    for (const auto& [path, known] : stored_) {
      if (seen_.contains(path)) continue;
      for (const Root& root : roots_) {
        if (root.source.id != known.source) continue;
        // A path that stepped aside for another folder's carries the folder's name.
        const std::string aside = fs::path(root.source.name).filename().string() + "/";
        const auto original =
            path.starts_with(aside) ? std::string_view(path).substr(aside.size()) : std::string_view();
        if (!is_within(path, root) && (original.empty() || !is_within(original, root))) continue;
        const bool unknown = std::ranges::any_of(root.found.unread, [&](const std::string& prefix) {
          return path.starts_with(prefix) || original.starts_with(prefix);
        });
        if (unknown) continue;
        gone_.push_back(path);
        break;
      }
    }
    std::ranges::sort(gone_);
  }

  Result<void> store_batch() {
    if (batch_.empty() && gone_.empty()) return {};
    const Timestamp now = clock_.now();
    auto write = [&](db::TenantWriter& writer) -> Result<std::size_t> {
      const std::int64_t revision = PARLEY_TRY(take_revision(writer, project_));
      for (const DocumentChange& change : batch_) PARLEY_TRY(put_document(writer, project_, change, revision, now));
      std::size_t removed = 0;
      for (const std::string& path : gone_) removed += PARLEY_TRY(remove_document(writer, project_, path, revision));
      return removed;
    };
    report_.removed += PARLEY_TRY(session_.write_blocking(write));
    batch_.clear();
    batch_bytes_ = 0;
    gone_.clear();
    return {};
  }

  void skip(std::string path, std::string reason) {
    ++report_.skipped;
    if (report_.skipped_files.size() < skipped_named_max)
      report_.skipped_files.push_back({std::move(path), std::move(reason)});
  }

  static std::string describe(const Error& error) {
    std::string text(error.reason().view());
    if (!error.operator_detail().empty()) text += ": " + error.operator_detail();
    return text;
  }

  struct Known {
    SourceId source;
    crypto::Digest digest;
  };

  db::TenantSession session_;
  ProjectId project_;
  IndexSink& index_;
  const Clock& clock_;
  ProgressFn progress_;

  std::vector<Root> roots_;
  std::unordered_map<std::string, Known> stored_;
  std::unordered_map<std::string, std::optional<std::string>> folders_;  ///< restrictions by folder
  std::unordered_set<std::string> seen_;
  std::vector<DocumentChange> batch_;
  std::size_t batch_bytes_ = 0;
  std::vector<std::string> gone_;
  IngestProgress now_;
  IngestReport report_;
};

}  // namespace

bool is_base_url(std::string_view text) {
  if (!has_scheme(text) || text.size() > base_url_bytes_max) return false;
  const auto host = text.substr(text.find("://") + 3);
  if (host.empty() || host.starts_with('/')) return false;
  return std::ranges::none_of(text, [](char c) {
    return static_cast<unsigned char>(c) <= 0x20 || c == 0x7F || c == '?' || c == '#' || c == '"' || c == '<' ||
           c == '>' || c == '\\' || c == '@';
  });
}

std::string citation_url(std::string_view base_url, std::string_view path, std::string_view address) {
  if (base_url.empty()) {
    // A relative address whose first part has a colon would be read as a scheme, "javascript:" for one.
    const auto slash = path.find('/');
    std::string url;
    for (std::size_t i = 0; i < path.size(); ++i) {
      if (path[i] == ':' && i < slash) url += "%3A";
      else url += path[i];
    }
    return url;
  }
  // A page's own word is taken where it can only be a place on the web: never another scheme.
  if (has_scheme(address) && is_base_url(address)) return std::string(address);
  std::string url(base_url);
  while (url.ends_with('/')) url.pop_back();
  const auto slash = path.rfind('/');
  const auto folder = slash == std::string_view::npos ? std::string_view() : path.substr(0, slash + 1);
  const auto odd = [](char c) {
    return static_cast<unsigned char>(c) <= 0x20 || c == ':' || c == '\\' || c == '?' || c == '#';
  };
  if (!address.empty() && std::ranges::none_of(address, odd) && address.find("..") == std::string_view::npos) {
    if (address.starts_with('/')) {
      append_encoded(url, address);
    } else {
      url += '/';
      append_encoded(url, folder);
      append_encoded(url, address);
    }
    return url;
  }
  auto name = path.substr(folder.size());
  const auto stem = name.substr(0, name.rfind('.'));
  const auto format = find_format(name);
  if (stem == "index" || stem == "README" || stem == "readme") name = {};
  else if (format && *format != Format::html) name = stem;
  url += '/';
  append_encoded(url, folder);
  append_encoded(url, name);
  return url;
}

Result<SyncReport> sync_index(db::TenantSession session, ProjectId project, IndexSink& index) {
  SyncReport report;
  const std::int64_t seen = PARLEY_TRY(index.revision());
  report.revision =
      PARLEY_TRY(session.read_blocking([&](db::TenantReader& reader) { return find_revision(reader, project); }));
  if (seen == report.revision) return report;
  if (seen > report.revision)
    return fail(Code::data_corrupt, "the index has seen more than the store holds; delete it and fill it again");

  const auto removed = PARLEY_TRY(
      session.read_blocking([&](db::TenantReader& reader) { return removed_documents(reader, project, seen); }));
  for (const std::string& path : removed) {
    PARLEY_TRY(index.remove(path));
    ++report.removed;
  }
  ChangeCursor cursor{seen + 1, ""};
  std::size_t uncommitted = 0;
  for (;;) {
    auto changed = PARLEY_TRY(session.read_blocking([&](db::TenantReader& reader) {
      return changed_documents(reader, project, cursor, report.revision, sync_read_bytes);
    }));
    if (changed.empty()) break;
    for (const ChangedDocument& one : changed) {
      // Only whole revisions are committed, since that is all the number can say.
      if (one.revision > cursor.revision && uncommitted >= sync_commit_bytes) {
        PARLEY_TRY(index.commit(one.revision - 1));
        uncommitted = 0;
      }
      PARLEY_TRY(index.replace(one));
      ++report.replaced;
      cursor = {one.revision, one.document.path};
      for (const Passage& passage : one.document.passages)
        for (const Block& block : passage.blocks) uncommitted += block.text.size();
    }
  }
  PARLEY_TRY(index.commit(report.revision));
  return report;
}

Result<IngestReport> ingest(db::TenantSession session, ProjectId project, IngestRequest request, IndexSink& index,
                            const Clock& clock, ProgressFn progress) {
  return Ingestion(std::move(session), project, index, clock, std::move(progress)).run(request);
}

}  // namespace parley::knowledge
