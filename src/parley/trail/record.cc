#include "parley/trail/record.h"

#include <utility>

namespace parley::trail {

std::string_view name(Kind kind) {
  switch (kind) {
    case Kind::write: return "write";
    case Kind::tool_intention: return "tool_intention";
    case Kind::refusal: return "refusal";
    case Kind::read: return "read";
    case Kind::operation: return "operation";
    case Kind::gap: return "gap";
    case Kind::epoch: return "epoch";
  }
  std::unreachable();
}

std::string_view name(Decision decision) {
  switch (decision) {
    case Decision::allowed: return "allowed";
    case Decision::refused: return "refused";
  }
  std::unreachable();
}

namespace {

void put_number(std::string& out, std::uint64_t value, int bytes) {
  for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8) out.push_back(static_cast<char>(value >> shift & 0xffU));
}

void put(std::string& out, std::int64_t value) { put_number(out, static_cast<std::uint64_t>(value), 8); }

void put(std::string& out, std::string_view text) {
  put_number(out, text.size(), 4);
  out += text;
}

}  // namespace

std::string canonical(const StoredRecord& record) {
  std::string out = "parley trail 1\n";
  put(out, record.node);
  put(out, record.seq);
  put(out, record.epoch);
  put(out, record.at);
  put(out, record.kind);
  put(out, record.actor_kind);
  put(out, record.actor_id);
  put(out, record.action);
  put(out, record.object_kind);
  put(out, record.object_id);
  put(out, record.decision);
  put(out, record.rule);
  put(out, record.request_id);
  put(out, record.quantity);
  put(out, record.reference);
  return out;
}

crypto::Digest link(const crypto::Digest& prev, const StoredRecord& record) {
  return crypto::Sha256().update(prev.view()).update(canonical(record)).finish();
}

}  // namespace parley::trail
