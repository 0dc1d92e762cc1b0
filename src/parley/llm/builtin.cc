#include "parley/llm/builtin.h"

#include <algorithm>

#include "parley/text/utf8.h"

namespace parley::llm {
namespace {

// Pieces small enough to be seen arriving, large enough not to be mostly framing.
constexpr std::size_t piece_bytes = 160;

std::string_view next_piece(std::string_view rest) {
  if (rest.size() <= piece_bytes) return rest;
  const auto blank = rest.find_last_of(" \n", piece_bytes);
  if (blank != std::string_view::npos && blank > 0) return rest.substr(0, blank + 1);
  return text::truncate_to_bytes(rest, piece_bytes);
}

}  // namespace

BuiltinModel::BuiltinModel() : card_{.name = std::string(builtin_name), .context_tokens = usage_tokens_max} {}

asio::awaitable<Attempt> BuiltinModel::run(std::shared_ptr<const Request> request, Meter* meter, Listener* listener) {
  Attempt attempt{.model = card_.name};
  if (!request->extractor) {
    attempt.failure = Failure::request_refused;
    co_return attempt;
  }
  const auto found = co_await request->extractor->extract();
  if (!found) {
    // The caller's own search; its error says more than a kind of ours.
    attempt.failure = found.error().code() == Code::cancelled ? Failure::cancelled : Failure::listener_failed;
    attempt.listener_error = found.error();
    co_return attempt;
  }
  std::string_view rest = found->text;
  while (!rest.empty()) {
    const auto piece = next_piece(rest);
    rest.remove_prefix(piece.size());
    meter->delivered = true;
    const auto taken = co_await listener->text(std::string(piece));
    if (!taken) {
      attempt.failure = taken.error().code() == Code::cancelled ? Failure::cancelled : Failure::listener_failed;
      attempt.listener_error = taken.error();
      co_return attempt;
    }
  }
  meter->reported = true;
  co_return attempt;
}

asio::awaitable<Attempt> BuiltinModel::probe() { co_return Attempt{.model = card_.name}; }

}  // namespace parley::llm
