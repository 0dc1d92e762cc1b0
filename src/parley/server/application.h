#pragma once

#include <array>
#include <filesystem>
#include <memory>
#include <string>

#include "parley/admission/admission.h"
#include "parley/admission/slots.h"
#include "parley/api/outlet.h"
#include "parley/api/services.h"
#include "parley/api/web_files.h"
#include "parley/http/server.h"
#include "parley/kv/store.h"
#include "parley/server/installation.h"
#include "parley/server/letters.h"

namespace parley::server {

struct ApplicationOptions {
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;                   ///< 0: any free one
  std::filesystem::path tls_cert, tls_key;  ///< both or neither
};

/// An installation with its HTTP interface: what `serve` runs, and what scenario tests run in their own process.
class Application {
 public:
  /// `at` must outlive this object.
  static Result<std::unique_ptr<Application>> start(Installation& at, ApplicationOptions options);
  /// Stops at once if still running.
  ~Application();

  std::uint16_t port() const;

  /// Answers "not ready" from now on, takes no new connections, and lets running answers finish for as long as the
  /// configuration says. Then writes what was held back in memory. Blocks until done.
  void stop();

 private:
  class Readiness;
  class Housekeeping;
  Application(Installation& at, const ApplicationOptions& options);

  Installation& at_;
  api::Outlet outlet_;
  api::WebFiles web_;
  std::unique_ptr<Readiness> readiness_;
  net::Workers letter_threads_{1};  ///< coroutines that wait for the mailer
  std::unique_ptr<notify::Mailer> mailer_;
  MailedLetters letters_;
  admission::Admission admission_;
  admission::Slots slots_;
  api::Services services_;
  std::unique_ptr<Housekeeping> housekeeping_;
  std::unique_ptr<http::Server> server_;
};

}  // namespace parley::server
