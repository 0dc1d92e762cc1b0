#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "parley/http/client.h"
#include "parley/llm/model.h"
#include "parley/llm/reader.h"
#include "parley/secrets/secrets.h"

namespace parley::llm {

/// How one family of providers is spoken to. Pure, immutable.
class Protocol {
 public:
  virtual ~Protocol() = default;
  virtual std::string body(const Request& request, std::int64_t output_tokens_max) const = 0;
  virtual std::string path() const = 0;        ///< behind the base address
  virtual std::string probe_path() const = 0;  ///< of a list that costs nothing to read
  /// What identifies us. `key` is empty where none is configured.
  virtual std::vector<net::FetchHeader> headers(const Secret& key) const = 0;
  virtual std::unique_ptr<StreamReader> reader() const = 0;
};

struct UpstreamOptions {
  ModelCard card;
  net::HttpUrl base;  ///< the path of a request is put behind it
  std::optional<secrets::Reference> key;
  http::ClientTimeouts timeouts;
};

/// A model behind somebody's HTTP API. A key that is refused is read anew, and if it has changed, the call made again.
class UpstreamModel final : public Model {
 public:
  /// The references must outlive this object.
  UpstreamModel(UpstreamOptions options, std::unique_ptr<const Protocol> protocol, http::Client& client,
                secrets::Secrets& secrets);

  const ModelCard& card() const override { return options_.card; }
  asio::awaitable<Attempt> run(std::shared_ptr<const Request> request, Meter* meter, Listener* listener) override;
  asio::awaitable<Attempt> probe() override;

 private:
  Result<http::ClientRequest> address(const std::string& path, const Secret& key) const;
  asio::awaitable<Attempt> ask(std::shared_ptr<const Request> request, Secret key, Meter* meter, Listener* listener);
  asio::awaitable<Attempt> ask_for_list(Secret key);
  Async<Secret> read_key();
  /// The key as it is now, if it is another one.
  asio::awaitable<std::optional<Secret>> changed_key(Secret refused);

  const UpstreamOptions options_;
  const std::unique_ptr<const Protocol> protocol_;
  http::Client& client_;
  secrets::Secrets& secrets_;
};

}  // namespace parley::llm
