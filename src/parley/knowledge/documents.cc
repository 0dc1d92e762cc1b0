#include "parley/knowledge/documents.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "parley/knowledge/groups.h"

namespace parley::knowledge {
namespace {

using namespace db::literals;

constexpr char format_version = 1;

void put_number(std::string& out, std::uint64_t value) {
  while (value >= 0x80) {
    out += static_cast<char>(0x80 | (value & 0x7F));
    value >>= 7;
  }
  out += static_cast<char>(value);
}

void put_text(std::string& out, std::string_view text) {
  put_number(out, text.size());
  out += text;
}

// Reads what put_* wrote. After the first mistake everything is empty and `failed` is set.
class Decoder {
 public:
  explicit Decoder(std::string_view bytes) : rest_(bytes) {}

  std::uint64_t number() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (rest_.empty()) break;
      const auto byte = static_cast<unsigned char>(rest_.front());
      rest_.remove_prefix(1);
      value |= std::uint64_t{byte & 0x7Fu} << shift;
      if (byte < 0x80) return value;
    }
    failed_ = true;
    rest_ = {};
    return 0;
  }
  std::string text() {
    const std::uint64_t size = number();
    if (size > rest_.size()) {
      failed_ = true;
      rest_ = {};
      return {};
    }
    std::string text(rest_.substr(0, size));
    rest_.remove_prefix(size);
    return text;
  }
  /// A count of things that take a byte or more each, so that a damaged one cannot ask for more memory than it has.
  std::size_t count() {
    const std::uint64_t value = number();
    if (value <= rest_.size()) return value;
    failed_ = true;
    return 0;
  }
  bool failed() const { return failed_; }
  bool at_end() const { return rest_.empty(); }

 private:
  std::string_view rest_;
  bool failed_ = false;
};

std::string join_keywords(const std::vector<std::string>& keywords) {
  std::string out;
  for (const auto& keyword : keywords) {
    if (!out.empty()) out += '\n';
    out += keyword;
  }
  return out;
}

std::vector<std::string> split_keywords(std::string_view text) {
  std::vector<std::string> keywords;
  while (!text.empty()) {
    const auto end = text.find('\n');
    keywords.emplace_back(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  }
  return keywords;
}

Source source_from(const db::Row& row) {
  return {row.id<SourceId>(0), std::string(row.text(1)), std::string(row.text(2)), std::string(row.text(3)),
          row.time(4),         std::string(row.text(5))};
}

}  // namespace

std::string encode_passages(const std::vector<Passage>& passages) {
  std::size_t bytes = 64;
  for (const Passage& passage : passages) {
    bytes += 128;
    for (const Block& block : passage.blocks) bytes += block.text.size() + 8;
  }
  std::string out;
  out.reserve(bytes);
  out += format_version;
  put_number(out, passages.size());
  for (const Passage& passage : passages) {
    put_text(out, passage.id);
    put_number(out, passage.headings.size());
    for (const auto& heading : passage.headings) put_text(out, heading);
    put_text(out, passage.anchor);
    put_number(out, passage.blocks.size());
    for (const Block& block : passage.blocks) {
      put_number(out, static_cast<std::uint64_t>(block.kind));
      put_text(out, block.text);
    }
  }
  return out;
}

Result<std::vector<Passage>> decode_passages(std::string_view bytes) {
  if (bytes.empty() || bytes[0] != format_version) return fail(Code::data_corrupt, "stored passages cannot be read");
  Decoder decoder(bytes.substr(1));
  std::vector<Passage> passages(decoder.count());
  for (Passage& passage : passages) {
    if (decoder.failed()) break;
    passage.id = decoder.text();
    passage.headings.resize(decoder.count());
    for (auto& heading : passage.headings) heading = decoder.text();
    passage.anchor = decoder.text();
    passage.blocks.resize(decoder.count());
    for (Block& block : passage.blocks) {
      const std::uint64_t kind = decoder.number();
      if (kind > static_cast<std::uint64_t>(BlockKind::code))
        return fail(Code::data_corrupt, "stored passages cannot be read");
      block.kind = static_cast<BlockKind>(kind);
      block.text = decoder.text();
    }
  }
  if (decoder.failed() || !decoder.at_end()) return fail(Code::data_corrupt, "stored passages cannot be read");
  return passages;
}

Result<std::int64_t> find_revision(db::TenantReader& reader, ProjectId project) {
  const auto found = PARLEY_TRY(reader.find(
      "SELECT revision FROM knowledge_state WHERE project_id = $1"_sql,
      [](const db::Row& row) { return row.integer(0); }, project));
  return found.value_or(0);
}

Result<std::int64_t> take_revision(db::TenantWriter& writer, ProjectId project) {
  const auto taken = PARLEY_TRY(writer.find(
      "INSERT INTO knowledge_state (project_id, revision) VALUES ($1, 1) "
      "ON CONFLICT ({tenant}project_id) DO UPDATE SET revision = knowledge_state.revision + 1 "
      "RETURNING revision"_sql,
      [](const db::Row& row) { return row.integer(0); }, project));
  if (!taken) return fail(Code::internal, "no revision was returned");
  return *taken;
}

Result<std::vector<Source>> list_sources(db::TenantReader& reader, ProjectId project) {
  return reader.all(
      "SELECT id, kind, name, base_url, created_at, reader_groups FROM sources WHERE project_id = $1 "
      "ORDER BY kind, name"_sql,
      source_from, project);
}

Result<Source> put_source(db::TenantWriter& writer, ProjectId project, std::string_view kind, std::string_view name,
                          std::string_view base_url, SourceId id_if_new, Timestamp now) {
  auto stored =
      PARLEY_TRY(writer.find("INSERT INTO sources (id, project_id, kind, name, base_url, created_at) "
                             "VALUES ($1, $2, $3, $4, $5, $6) "
                             "ON CONFLICT ({tenant}project_id, kind, name) DO UPDATE SET base_url = excluded.base_url "
                             "RETURNING id, kind, name, base_url, created_at, reader_groups"_sql,
                             source_from, id_if_new, project, kind, name, base_url, now));
  if (!stored) return fail(Code::internal, "no source was returned");
  return *std::move(stored);
}

Result<bool> set_source_groups(db::TenantWriter& writer, ProjectId project, SourceId source, std::string_view groups) {
  const auto changed = PARLEY_TRY(
      writer.run("UPDATE sources SET reader_groups = $3 WHERE project_id = $1 AND id = $2 AND reader_groups <> $3"_sql,
                 project, source, groups));
  if (changed == 0) return false;
  const auto revision = PARLEY_TRY(take_revision(writer, project));
  PARLEY_TRY(writer.run("UPDATE documents SET revision = $3 WHERE project_id = $1 AND source_id = $2"_sql, project,
                        source, revision));
  return true;
}

Result<std::int64_t> remove_source(db::TenantWriter& writer, ProjectId project, SourceId source,
                                   std::int64_t revision) {
  const auto removed = PARLEY_TRY(
      writer.run("INSERT INTO removed_documents (project_id, path, revision) "
                 "SELECT project_id, path, CAST($3 AS BIGINT) FROM documents WHERE project_id = $1 AND source_id = $2 "
                 "ON CONFLICT ({tenant}project_id, path) DO UPDATE SET revision = excluded.revision"_sql,
                 project, source, revision));
  PARLEY_TRY(writer.run("DELETE FROM sources WHERE project_id = $1 AND id = $2"_sql, project, source));
  return removed;
}

Result<void> put_document(db::TenantWriter& writer, ProjectId project, const DocumentChange& change,
                          std::int64_t revision, Timestamp now) {
  const Document& document = change.parsed.document;
  const PageFacts& facts = change.parsed.facts;
  const std::string keywords = join_keywords(facts.keywords);
  const auto id = PARLEY_TRY(writer.find(
      "INSERT INTO documents (id, project_id, source_id, path, url, title, description, keywords, boost, digest, "
      "bytes, "
      "updated_at, revision, reader_groups) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) "
      "ON CONFLICT ({tenant}project_id, path) DO UPDATE SET source_id = excluded.source_id, url = excluded.url, "
      "title = excluded.title, description = excluded.description, keywords = excluded.keywords, "
      "boost = excluded.boost, digest = excluded.digest, bytes = excluded.bytes, updated_at = excluded.updated_at, "
      "revision = excluded.revision, reader_groups = excluded.reader_groups RETURNING id"_sql,
      [](const db::Row& row) { return row.id<DocumentId>(0); }, change.id_if_new, project, change.source, document.path,
      document.url, document.title, facts.description, keywords, facts.boost.value_or(1.0),
      db::Blob{change.digest.view()}, change.bytes, now, revision, change.restriction));
  if (!id) return fail(Code::internal, "no document was returned");
  const std::string body = encode_passages(document.passages);
  PARLEY_TRY(
      writer.run("INSERT INTO passages (document_id, body) VALUES ($1, $2) "
                 "ON CONFLICT ({tenant}document_id) DO UPDATE SET body = excluded.body"_sql,
                 *id, db::Blob{body}));
  PARLEY_TRY(
      writer.run("DELETE FROM removed_documents WHERE project_id = $1 AND path = $2"_sql, project, document.path));
  return {};
}

Result<bool> remove_document(db::TenantWriter& writer, ProjectId project, std::string_view path,
                             std::int64_t revision) {
  const auto removed =
      PARLEY_TRY(writer.run("DELETE FROM documents WHERE project_id = $1 AND path = $2"_sql, project, path));
  if (removed == 0) return false;
  PARLEY_TRY(
      writer.run("INSERT INTO removed_documents (project_id, path, revision) VALUES ($1, $2, $3) "
                 "ON CONFLICT ({tenant}project_id, path) DO UPDATE SET revision = excluded.revision"_sql,
                 project, path, revision));
  return true;
}

Result<std::vector<StoredDocument>> list_documents(db::TenantReader& reader, ProjectId project) {
  return reader.all(
      "SELECT id, source_id, path, url, title, description, digest, bytes, updated_at, revision FROM documents "
      "WHERE project_id = $1 ORDER BY path"_sql,
      [](const db::Row& row) {
        return StoredDocument{row.id<DocumentId>(0),
                              row.id<SourceId>(1),
                              std::string(row.text(2)),
                              std::string(row.text(3)),
                              std::string(row.text(4)),
                              std::string(row.text(5)),
                              crypto::Digest::from_bytes(row.blob(6)).value_or(crypto::Digest()),
                              row.integer(7),
                              row.time(8),
                              row.integer(9)};
      },
      project);
}

Result<std::vector<Readership>> list_readerships(db::TenantReader& reader, ProjectId project) {
  auto rows = PARLEY_TRY(reader.all(
      "SELECT s.id, s.reader_groups, d.reader_groups, count(*) FROM documents d JOIN sources s ON s.id = d.source_id "
      "WHERE d.project_id = $1 GROUP BY s.id, s.reader_groups, d.reader_groups"_sql,
      [](const db::Row& row) {
        return Readership{row.id<SourceId>(0), both(row.text(1), row.text(2)), row.integer(3)};
      },
      project));
  std::ranges::sort(rows, [](const Readership& a, const Readership& b) {
    return std::tie(a.source, a.restriction) < std::tie(b.source, b.restriction);
  });
  // Two ways of writing the same doors.
  std::vector<Readership> merged;
  for (auto& row : rows) {
    if (!merged.empty() && merged.back().source == row.source && merged.back().restriction == row.restriction)
      merged.back().documents += row.documents;
    else merged.push_back(std::move(row));
  }
  return merged;
}

Result<std::vector<std::string>> list_groups(db::TenantReader& reader, ProjectId project) {
  const auto restrictions = PARLEY_TRY(reader.all(
      "SELECT DISTINCT reader_groups FROM documents WHERE project_id = $1 AND reader_groups <> '' "
      "UNION SELECT reader_groups FROM sources WHERE project_id = $1 AND reader_groups <> ''"_sql,
      [](const db::Row& row) { return std::string(row.text(0)); }, project));
  std::vector<std::string> groups;
  for (const auto& restriction : restrictions)
    for (auto& door : doors_of(restriction)) groups.insert(groups.end(), door.begin(), door.end());
  std::ranges::sort(groups);
  const auto rest = std::ranges::unique(groups);
  groups.erase(rest.begin(), rest.end());
  return groups;
}

Result<Document> load_document(db::TenantReader& reader, ProjectId project, std::string_view path) {
  auto found = PARLEY_TRY(reader.find(
      "SELECT d.path, d.url, d.title, p.body FROM documents d JOIN passages p ON p.document_id = d.id "
      "WHERE d.project_id = $1 AND d.path = $2"_sql,
      [](const db::Row& row) {
        return std::pair(Document{std::string(row.text(0)), std::string(row.text(1)), std::string(row.text(2)), {}},
                         decode_passages(row.blob(3)));
      },
      project, path));
  if (!found) return fail(Code::not_found, "no such document");
  found->first.passages = PARLEY_TRY(std::move(found->second));
  return std::move(found->first);
}

Result<std::vector<ChangedDocument>> changed_documents(db::TenantReader& reader, ProjectId project,
                                                       const ChangeCursor& after, std::int64_t revision_last,
                                                       std::size_t bytes_aim) {
  std::vector<ChangedDocument> changed;
  std::size_t bytes = 0;
  Result<void> outcome;
  PARLEY_TRY(reader.each(
      "SELECT d.path, d.url, d.title, d.keywords, d.boost, d.revision, p.body, d.reader_groups, s.reader_groups "
      "FROM documents d JOIN passages p ON p.document_id = d.id JOIN sources s ON s.id = d.source_id "
      "WHERE d.project_id = $1 AND d.revision >= $2 AND d.revision <= $3 AND (d.revision > $2 OR d.path > $4) "
      "ORDER BY d.revision, d.path LIMIT 1000"_sql,
      [&](const db::Row& row) {
        auto passages = decode_passages(row.blob(6));
        if (!passages) {
          outcome = std::unexpected(std::move(passages).error().with_detail(std::string(row.text(0))));
          return false;
        }
        bytes += row.blob(6).size();
        changed.push_back({Document{std::string(row.text(0)), std::string(row.text(1)), std::string(row.text(2)),
                                    *std::move(passages)},
                           split_keywords(row.text(3)), row.real(4), row.integer(5), both(row.text(7), row.text(8))});
        return bytes < bytes_aim;
      },
      project, after.revision, revision_last, after.path));
  PARLEY_TRY(std::move(outcome));
  return changed;
}

Result<std::vector<std::string>> removed_documents(db::TenantReader& reader, ProjectId project, std::int64_t revision) {
  return reader.all(
      "SELECT path FROM removed_documents WHERE project_id = $1 AND revision > $2 ORDER BY path"_sql,
      [](const db::Row& row) { return std::string(row.text(0)); }, project, revision);
}

}  // namespace parley::knowledge
