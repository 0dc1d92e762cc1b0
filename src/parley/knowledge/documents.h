#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "parley/base/result.h"
#include "parley/base/time.h"
#include "parley/base/uuid.h"
#include "parley/crypto/hash.h"
#include "parley/db/transaction.h"
#include "parley/knowledge/parse.h"
#include "parley/knowledge/passage.h"

namespace parley::knowledge {

/// What documents came from.
struct Source {
  SourceId id;
  std::string kind;      ///< "file" (a folder on this machine), "url"
  std::string name;      ///< what was ingested: for files the absolute path of the folder
  std::string base_url;  ///< what citation links begin with; empty if none was given
  Timestamp created_at;
  std::string groups;  ///< whoever holds one of them may read its documents: "a,b"; empty: everybody
};

/// A document without its passages.
struct StoredDocument {
  DocumentId id;
  SourceId source;
  std::string path;
  std::string url;
  std::string title;
  std::string description;
  crypto::Digest digest;
  std::int64_t bytes = 0;  ///< of the file it was made from
  Timestamp updated_at;
  std::int64_t revision = 0;
};

/// Everything an index needs to take a document up.
struct ChangedDocument {
  Document document;
  std::vector<std::string> keywords;
  double boost = 1;  ///< `biel:boost_score`; 1 if the page asks for none
  std::int64_t revision = 0;
  std::string restriction;  ///< who may read it, its source's groups included; knowledge/groups.h
};

/// The project's revision: 0 before the first change, then one more with each. An index that has seen revision r lacks
/// exactly what `changed_documents` and `removed_documents` give after r.
Result<std::int64_t> find_revision(db::TenantReader& reader, ProjectId project);
/// Takes the next one, and holds other writers of the project until this transaction ends: revisions become visible in
/// their order. `conflict` if there is no such project.
Result<std::int64_t> take_revision(db::TenantWriter& writer, ProjectId project);

Result<std::vector<Source>> list_sources(db::TenantReader& reader, ProjectId project);
/// The source of this kind and name, made if there is none, with this base url.
Result<Source> put_source(db::TenantWriter& writer, ProjectId project, std::string_view kind, std::string_view name,
                          std::string_view base_url, SourceId id_if_new, Timestamp now);
/// Changes who may read the source's documents, all of which count as changed at a revision that is taken here. False
/// if it is so already. `groups`: as `join_groups` makes them.
Result<bool> set_source_groups(db::TenantWriter& writer, ProjectId project, SourceId source, std::string_view groups);
/// Removes the source with its documents, leaving their traces for the index. Returns how many documents went.
Result<std::int64_t> remove_source(db::TenantWriter& writer, ProjectId project, SourceId source, std::int64_t revision);

/// One document as ingestion made it.
struct DocumentChange {
  DocumentId id_if_new;
  SourceId source;
  ParsedDocument parsed;  ///< with the url it is to be cited by
  crypto::Digest digest;
  std::int64_t bytes = 0;
  std::string restriction;  ///< by its folders and itself; its source's groups come on top
};
/// Stores it in place of what its path held. `revision` comes from take_revision in the same transaction.
Result<void> put_document(db::TenantWriter& writer, ProjectId project, const DocumentChange& change,
                          std::int64_t revision, Timestamp now);
/// Removes it and leaves a trace for the index. False if there was none.
Result<bool> remove_document(db::TenantWriter& writer, ProjectId project, std::string_view path, std::int64_t revision);

/// All documents by path.
Result<std::vector<StoredDocument>> list_documents(db::TenantReader& reader, ProjectId project);
/// How many documents of each source have which readers.
struct Readership {
  SourceId source;
  std::string restriction;
  std::int64_t documents = 0;
};
/// By source and restriction.
Result<std::vector<Readership>> list_readerships(db::TenantReader& reader, ProjectId project);
/// Every group that a source or a document of the project names, sorted.
Result<std::vector<std::string>> list_groups(db::TenantReader& reader, ProjectId project);
/// One with its passages; not_found if there is none.
Result<Document> load_document(db::TenantReader& reader, ProjectId project, std::string_view path);

/// A place in the order of changes.
struct ChangeCursor {
  std::int64_t revision = 0;
  std::string path;  ///< changes of `revision` up to and with this path have been seen
};
/// Documents that changed behind `after` and not after `revision_last`, in order of revision and path, from about
/// `bytes_aim` of passages (at least one document, if there is one). `data_corrupt` if stored passages cannot be read.
Result<std::vector<ChangedDocument>> changed_documents(db::TenantReader& reader, ProjectId project,
                                                       const ChangeCursor& after, std::int64_t revision_last,
                                                       std::size_t bytes_aim);
/// Paths that went after `revision` and have not come back.
Result<std::vector<std::string>> removed_documents(db::TenantReader& reader, ProjectId project, std::int64_t revision);

/// Passages in the form of the table: a version, then texts with their lengths. Nothing to escape and nothing to search
/// for, which is what a rebuild of an index spends its reading on.
std::string encode_passages(const std::vector<Passage>& passages);
Result<std::vector<Passage>> decode_passages(std::string_view bytes);

}  // namespace parley::knowledge
