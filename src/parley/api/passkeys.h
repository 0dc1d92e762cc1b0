#pragma once

#include "parley/api/action_kinds.h"
#include "parley/api/route.h"
#include "parley/identity/passkey_store.h"

// Passkeys: signing in with one, showing one as a second factor, and one's own. Each takes two requests; what is to be
// remembered between them is a sealed ticket in a cookie.

namespace parley::api {

// Room for what a browser sends, and the field around it.
inline constexpr std::size_t passkey_body_bytes_max = identity::passkey_response_bytes_max + 4 * 1024;

struct BeginPasskey {
  static constexpr Literal summary = "What to ask the browser for: to sign in with a passkey, or to show one";
  using Input = NoInput;
  static constexpr std::size_t body_bytes_max = 1024;
  static Async<Reply> handle(Services& services, Context context, Validated<Input> input);
};

struct PresentPasskey {
  static constexpr Literal summary = "Sign in with a passkey alone; in a session, show it as the second factor";
  struct Input {
    boost::json::object credential;
    static constexpr auto fields() {
      return std::tuple{
          field("credential", &Input::credential,
                {.required = Required::yes, .doc = "PublicKeyCredential.toJSON() after navigator.credentials.get"})};
    }
  };
  static constexpr std::size_t body_bytes_max = passkey_body_bytes_max;
  static Async<Reply> handle(Services& services, Context context, Validated<Input> input);
};

/// Shows a passkey as the second factor of this session, which goes on as a full one under a new token.
Async<Reply> raise_by_passkey(Services& services, Context context, identity::OpenSession session,
                              boost::json::object credential);

struct AddPasskey {
  static constexpr ActionInfo info =
      kinds::own("account.passkey.add", "Add a passkey", kinds::writes, kinds::also_enrolling);
};
struct ManagePasskeys {
  static constexpr ActionInfo info = kinds::own("account.passkey.manage", "Rename and remove passkeys", kinds::writes);
};

namespace actions {

struct BeginPasskeyRegistration : JsonAction<AddPasskey> {
  static Async<Reply> handle(Services& services, Context context, Authorized<AddPasskey> permit,
                             Validated<NoInput> input);
};

struct PasskeyInput {
  std::string name;
  boost::json::object credential;
  static constexpr auto fields() {
    return std::tuple{
        field("name", &PasskeyInput::name,
              {.required = Required::yes, .length_max = identity::passkey_name_bytes_max, .doc = "To know it by"}),
        field("credential", &PasskeyInput::credential,
              {.required = Required::yes, .doc = "PublicKeyCredential.toJSON() after navigator.credentials.create"})};
  }
};
struct PostPasskey : JsonAction<AddPasskey, PasskeyInput> {
  static constexpr std::size_t body_bytes_max = passkey_body_bytes_max;
  static Async<Reply> handle(Services& services, Context context, Authorized<AddPasskey> permit,
                             Validated<PasskeyInput> input);
};

struct PasskeyNameInput {
  std::string name;
  static constexpr auto fields() {
    return std::tuple{
        field("name", &PasskeyNameInput::name,
              {.required = Required::yes, .length_max = identity::passkey_name_bytes_max, .doc = "To know it by"})};
  }
};
struct PutPasskey : JsonAction<ManagePasskeys, PasskeyNameInput> {
  static Async<Reply> handle(Services& services, Context context, Authorized<ManagePasskeys> permit,
                             Validated<PasskeyNameInput> input);
};

struct DeletePasskey : JsonAction<ManagePasskeys> {
  static Async<Reply> handle(Services& services, Context context, Authorized<ManagePasskeys> permit,
                             Validated<NoInput> input);
};

}  // namespace actions
}  // namespace parley::api
