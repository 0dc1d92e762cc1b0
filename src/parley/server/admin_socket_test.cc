#include "parley/server/admin_socket.h"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "parley/server/data_lock.h"
#include "testing/test_store.h"

namespace parley::server {
namespace {

class Captured final : public Output {
 public:
  void out(std::string_view text) override { out_text += text; }
  void err(std::string_view text) override { err_text += text; }
  bool is_terminal() const override { return false; }
  bool cancelled() const override { return false; }
  std::string out_text, err_text;
};

AdminCommand command(std::vector<std::string> arguments) {
  return {.arguments = std::move(arguments), .folder = "/somewhere", .is_terminal = true};
}

TEST(AdminSocket, carries_a_command_there_and_its_words_and_status_back) {
  const db::TemporaryFolder folder;
  const auto socket = AdminSocket::listen(folder.path(), [](const AdminCommand& got, Output& output) {
    EXPECT_EQ(got.arguments, (std::vector<std::string>{"ask", "--project", "a b", "\"quoted\"\n"}));
    EXPECT_EQ(got.folder, "/somewhere");
    EXPECT_TRUE(output.is_terminal());
    EXPECT_EQ(got.uid, ::geteuid());
    output.out(std::string(200'000, 'x'));
    output.err("remark\n");
    return 7;
  });
  ASSERT_TRUE(socket) << describe_for_operator(socket.error());
  Captured captured;
  const auto status = call_admin(folder.path(), command({"ask", "--project", "a b", "\"quoted\"\n"}), captured);
  ASSERT_TRUE(status) << describe_for_operator(status.error());
  EXPECT_EQ(*status, 7);
  EXPECT_EQ(captured.out_text.size(), 200'000U);
  EXPECT_EQ(captured.err_text, "remark\n");
}

TEST(AdminSocket, a_folder_without_a_server_says_so) {
  const db::TemporaryFolder folder;
  Captured captured;
  const auto status = call_admin(folder.path(), command({"doctor"}), captured);
  ASSERT_TRUE(status);
  EXPECT_FALSE(*status);
}

TEST(AdminSocket, works_in_a_folder_whose_path_is_longer_than_a_socket_address) {
  const db::TemporaryFolder folder;
  const auto deep = folder.path() / std::string(100, 'a') / std::string(100, 'b');
  std::filesystem::create_directories(deep);
  const auto socket = AdminSocket::listen(deep, [](const AdminCommand&, Output&) { return 0; });
  ASSERT_TRUE(socket) << describe_for_operator(socket.error());
  Captured captured;
  const auto status = call_admin(deep, command({}), captured);
  ASSERT_TRUE(status);
  EXPECT_EQ(*status, 0);
}

TEST(AdminSocket, a_command_that_throws_is_a_failed_command_and_not_the_end_of_the_server) {
  const db::TemporaryFolder folder;
  const auto socket = AdminSocket::listen(folder.path(), [](const AdminCommand& got, Output&) -> int {
    if (got.arguments.empty()) throw std::runtime_error("unforeseen");
    return 0;
  });
  ASSERT_TRUE(socket);
  Captured captured;
  EXPECT_EQ(*call_admin(folder.path(), command({}), captured), 1);
  EXPECT_EQ(*call_admin(folder.path(), command({"x"}), captured), 0);
}

TEST(AdminSocket, only_its_owner_may_connect_and_it_goes_when_the_server_does) {
  const db::TemporaryFolder folder;
  const auto before = ::umask(0077);  // as the program sets it first thing
  {
    const auto socket = AdminSocket::listen(folder.path(), [](const AdminCommand&, Output&) { return 0; });
    ASSERT_TRUE(socket);
    struct stat info{};
    ASSERT_EQ(::stat((folder.path() / "admin.sock").c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0600U);
  }
  ::umask(before);
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "admin.sock"));
}

TEST(DataLock, is_held_once_and_let_go_with_its_holder) {
  const db::TemporaryFolder folder;
  const auto data = folder.path() / "data";
  {
    const auto held = DataLock::take(data);
    ASSERT_TRUE(held);
    const auto again = DataLock::take(data);
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code(), Code::conflict);
  }
  EXPECT_TRUE(DataLock::take(data));
}

}  // namespace
}  // namespace parley::server
