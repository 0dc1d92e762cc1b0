#include "parley/identity/project_directory.h"

#include "parley/identity/origin.h"
#include "parley/identity/project.h"

namespace parley::identity {

Async<std::optional<ProjectRef>> ProjectDirectory::find(std::string slug, Reach reach) {
  // What cannot be a slug is not looked up.
  if (!parse_slug(slug)) co_return std::nullopt;
  const Timestamp now = clock_.now();
  const Question question{.reach = reach, .slug = std::move(slug)};
  const auto cached = places_.find(question, now);
  using State = decltype(places_)::Found::State;
  if (cached.state == State::present) co_return *cached.record;
  if (cached.state == State::absent) co_return std::nullopt;
  auto place = PARLEY_CO_TRY(co_await tenants_.find_slug_for(question.slug, reach));
  places_.put(question, place ? std::make_shared<const ProjectRef>(*place) : nullptr, cached.generation, now);
  co_return place;
}

Async<ProjectRef> ProjectDirectory::load(TenantId tenant, std::string slug) {
  auto place = PARLEY_CO_TRY(co_await find(std::move(slug), Reach{.tenant = tenant}));
  if (!place) co_return fail(Code::not_found, "no such project");
  co_return *std::move(place);
}

Async<bool> ProjectDirectory::is_listed_anywhere(std::string origin) {
  static const auto yes = std::make_shared<const Listed>();
  const Timestamp now = clock_.now();
  const auto cached = listed_.find(origin, now);
  using State = decltype(listed_)::Found::State;
  if (cached.state != State::unknown) co_return cached.state == State::present;
  const bool listed = PARLEY_CO_TRY(co_await tenants_.is_origin_listed(patterns_for(origin)));
  listed_.put(origin, listed ? yes : nullptr, cached.generation, now);
  co_return listed;
}

void ProjectDirectory::forget(TenantId tenant) {
  // What was looked for in vain names no tenant, so all of it goes: the same for every stranger, whatever they asked.
  places_.forget_if([&](const Question&, const ProjectRef* place) { return !place || place->tenant == tenant; });
  listed_.forget_if([](const std::string&, const Listed*) { return true; });
}

}  // namespace parley::identity
