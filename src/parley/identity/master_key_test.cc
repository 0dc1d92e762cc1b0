#include <cstdlib>
#include <fstream>

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "parley/identity/master_key.h"
#include "testing/test_store.h"

namespace parley::identity {
namespace {

class MasterKey : public testing::Test {
 protected:
  void SetUp() override { ::unsetenv(master_key_variable); }
  void TearDown() override { ::unsetenv(master_key_variable); }

  std::filesystem::path file() const { return folder.path() / "master.key"; }
  void write(const std::string& text, mode_t mode = 0600) const {
    std::ofstream(file()) << text;
    ASSERT_EQ(::chmod(file().c_str(), mode), 0);
  }
  Result<crypto::SealKey> load() const { return load_master_key(folder.path(), IfMissing::create); }

  db::TemporaryFolder folder;
};

TEST_F(MasterKey, is_made_once_and_found_again) {
  const auto first = load();
  ASSERT_TRUE(first) << describe_for_operator(first.error());
  EXPECT_EQ(load()->id(), first->id());
  struct stat status{};
  ASSERT_EQ(::stat(file().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
  const auto files = std::filesystem::directory_iterator(folder.path());
  EXPECT_EQ(std::distance(begin(files), end(files)), 1) << "no draft is left behind";
}

TEST_F(MasterKey, from_the_environment_makes_no_file) {
  const auto key = crypto::SealKey::make();
  ::setenv(master_key_variable, std::string(key.to_hex().reveal()).c_str(), 1);
  EXPECT_EQ(load()->id(), key.id());
  EXPECT_FALSE(std::filesystem::exists(file()));
}

TEST_F(MasterKey, a_bad_environment_is_refused_and_the_file_not_used_instead) {
  ASSERT_TRUE(load());
  for (const char* bad : {"", "secret", "0000000000000000000000000000000000000000000000000000000000000000"}) {
    ::setenv(master_key_variable, bad, 1);
    EXPECT_EQ(load().error().code(), Code::invalid_argument) << bad;
  }
}

TEST_F(MasterKey, a_file_that_others_can_read_is_refused) {
  ASSERT_TRUE(load());
  for (const mode_t mode : {0640U, 0604U, 0620U, 0610U, 0644U}) {
    ASSERT_EQ(::chmod(file().c_str(), mode), 0);
    EXPECT_EQ(load().error().code(), Code::invalid_argument) << mode;
  }
  ASSERT_EQ(::chmod(file().c_str(), 0400), 0);
  EXPECT_TRUE(load());
}

TEST_F(MasterKey, a_weak_short_or_empty_file_is_refused_and_left_as_it_is) {
  for (const auto& bad : {std::string(), std::string("\n"), std::string(63, 'a'), std::string(64, '7'),
                          std::string(10'000, 'a'), std::string("not a key at all")}) {
    write(bad);
    EXPECT_EQ(load().error().code(), Code::invalid_argument) << bad;
    EXPECT_EQ(std::filesystem::file_size(file()), bad.size());
  }
}

TEST_F(MasterKey, a_link_or_a_folder_in_its_place_is_refused) {
  std::filesystem::create_symlink("/dev/zero", file());
  EXPECT_FALSE(load());
  std::filesystem::remove(file());
  std::filesystem::create_directory(file());
  EXPECT_FALSE(load());
}

TEST_F(MasterKey, a_folder_that_is_not_there_is_an_error) {
  EXPECT_FALSE(load_master_key(folder.path() / "absent", IfMissing::create));
}

TEST_F(MasterKey, a_folder_that_lost_its_key_does_not_get_another) {
  const auto lost = load_master_key(folder.path(), IfMissing::refuse);
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().code(), Code::not_found);
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "master.key"));
}

}  // namespace
}  // namespace parley::identity
