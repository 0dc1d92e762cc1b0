#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace parley {

/// 128 bits, written as 8-4-4-4-12 lower-case hexadecimal digits. `crypto::random_uuid()` makes version 4 ones.
class Uuid {
 public:
  constexpr Uuid() = default;
  constexpr explicit Uuid(std::array<std::uint8_t, 16> bytes) : bytes_(bytes) {}

  /// Accepts only the 36-character form; upper-case digits are accepted and fold to lower, so one id has one spelling.
  static std::optional<Uuid> parse(std::string_view text);

  std::string to_string() const;
  constexpr const std::array<std::uint8_t, 16>& bytes() const { return bytes_; }
  constexpr bool is_nil() const { return bytes_ == std::array<std::uint8_t, 16>{}; }
  constexpr auto operator<=>(const Uuid&) const = default;

 private:
  std::array<std::uint8_t, 16> bytes_{};
};

/// A UUID that names one kind of thing: passing a chat's id where a tenant's is wanted does not compile.
template <class Tag>
class Id {
 public:
  constexpr Id() = default;
  constexpr explicit Id(Uuid uuid) : uuid_(uuid) {}

  static std::optional<Id> parse(std::string_view text) {
    const auto uuid = Uuid::parse(text);
    return uuid ? std::optional(Id(*uuid)) : std::nullopt;
  }

  std::string to_string() const { return uuid_.to_string(); }
  constexpr const Uuid& uuid() const { return uuid_; }
  constexpr auto operator<=>(const Id&) const = default;

 private:
  Uuid uuid_;
};

using TenantId = Id<struct TenantTag>;
using ProjectId = Id<struct ProjectTag>;
using AccountId = Id<struct AccountTag>;
using KeyId = Id<struct KeyTag>;
using ChatId = Id<struct ChatTag>;
using MessageId = Id<struct MessageTag>;
using SourceId = Id<struct SourceTag>;
using DocumentId = Id<struct DocumentTag>;
using RequestId = Id<struct RequestTag>;

}  // namespace parley

template <>
struct std::hash<parley::Uuid> {
  std::size_t operator()(const parley::Uuid& uuid) const noexcept {
    // Version 4 ids are random already, so any eight bytes of them are a hash.
    std::size_t value = 0;
    for (int i = 8; i < 16; ++i) value = value << 8 | uuid.bytes()[static_cast<std::size_t>(i)];
    return value;
  }
};

template <class Tag>
struct std::hash<parley::Id<Tag>> {
  std::size_t operator()(const parley::Id<Tag>& id) const noexcept { return std::hash<parley::Uuid>()(id.uuid()); }
};
