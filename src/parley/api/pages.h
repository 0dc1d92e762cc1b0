#pragma once

#include "parley/api/route.h"

namespace parley::api::pages {

// What answers at addresses that need no credential and take nothing; routes.cc says for each why it needs none.

Async<Reply> liveness(Services& services, Context context);
Async<Reply> readiness(Services& services, Context context);
Async<Reply> description(Services& services, Context context);
Async<Reply> home(Services& services, Context context);
Async<Reply> demo(Services& services, Context context);
Async<Reply> asset(Services& services, Context context);
Async<Reply> set_up(Services& services, Context context);

}  // namespace parley::api::pages

namespace parley::api {

struct SetUpInput {
  std::string token, organisation, email, password;
  static constexpr auto fields() {
    return std::tuple{
        field("token", &SetUpInput::token, {.required = Required::yes, .length_max = 200, .doc = "From the link"}),
        field("organisation", &SetUpInput::organisation,
              {.required = Required::yes, .length_max = 100, .doc = "Name of the first tenant"}),
        field("email", &SetUpInput::email, {.required = Required::yes, .length_max = 254, .doc = "E-mail address"}),
        field("password", &SetUpInput::password, {.required = Required::yes, .length_max = 1'000, .doc = "Password"}),
    };
  }
};

/// What the form on the set-up page sends.
struct SetUpFirst {
  static constexpr Literal summary = "Create the first administrator, once";
  using Input = SetUpInput;
  // Room for the longest of each field, escaped.
  static constexpr std::size_t body_bytes_max = 16 * 1024;
  static Async<Reply> handle(Services& services, Context context, Validated<Input> input);
};

}  // namespace parley::api
