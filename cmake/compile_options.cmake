# Flags for our own targets. Libraries' headers come in as SYSTEM and are not held to them.

set(PARLEY_SANITIZE "" CACHE STRING "Sanitizers for every target, e.g. address,undefined or thread")
option(PARLEY_FUZZ "Build libFuzzer executables instead of corpus replays" OFF)

# Dev: -O1 keeps tests quick, -g1 keeps objects small enough to link in a second. With sanitizers the optimizer takes
# three quarters of the build (22 s against 6 for a store), more than it saves when the tests run. Fuzzing runs for
# longer than it builds.
if(PARLEY_SANITIZE AND NOT PARLEY_FUZZ)
  set(dev_level -O0)
else()
  set(dev_level -O1)
endif()
set(CMAKE_CXX_FLAGS_DEV "${dev_level} -g1" CACHE STRING "" FORCE)
set(CMAKE_C_FLAGS_DEV "${dev_level} -g1" CACHE STRING "" FORCE)
set(CMAKE_EXE_LINKER_FLAGS_DEV "" CACHE STRING "" FORCE)
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1" CACHE STRING "" FORCE)
set(CMAKE_C_FLAGS_RELEASE "-O2 -g1" CACHE STRING "" FORCE)

add_library(parley_options INTERFACE)
target_compile_options(parley_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Wnon-virtual-dtor -Wold-style-cast
  -Woverloaded-virtual -Wimplicit-fallthrough -Wextra-semi -Werror
  -Wno-gnu-statement-expression              # PARLEY_TRY
  -Wno-gnu-statement-expression-from-macro-expansion
  -Wno-missing-designated-field-initializers # a struct of options is meant to be filled in part
  -Wno-c23-extensions                        # #embed
  -fPIE  # one flag for libraries and programs: a precompiled header fits only what has the same
  -fno-omit-frame-pointer
  -Xclang -fno-pch-timestamp                 # lets ccache reuse objects built on a precompiled header
)
target_compile_definitions(parley_options INTERFACE
  PARLEY_VERSION="${PROJECT_VERSION}"
  BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_DISABLE_BOOST_COROUTINE
  $<$<NOT:$<CONFIG:Release>>:_GLIBCXX_ASSERTIONS>)
target_link_options(parley_options INTERFACE -pie)
target_include_directories(parley_options INTERFACE ${CMAKE_SOURCE_DIR}/src ${CMAKE_BINARY_DIR}/generated)

if(CMAKE_BUILD_TYPE STREQUAL "Release")
  # What an attacker would have to get past: checked containers, canaries, no writable GOT, random addresses.
  target_compile_definitions(parley_options INTERFACE _GLIBCXX_ASSERTIONS _FORTIFY_SOURCE=2)
  target_compile_options(parley_options INTERFACE -fstack-protector-strong -fstack-clash-protection -flto=thin)
  target_link_options(parley_options INTERFACE -flto=thin -pie -Wl,-z,relro,-z,now -Wl,-z,noexecstack
    -Wl,--thinlto-cache-dir=${CMAKE_BINARY_DIR}/lto-cache -Wl,--thinlto-jobs=2)
endif()

if(PARLEY_SANITIZE)
  add_compile_options(-fsanitize=${PARLEY_SANITIZE} -fno-sanitize-recover=undefined)
  add_link_options(-fsanitize=${PARLEY_SANITIZE})
endif()
if(PARLEY_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

# One precompiled header for sources and one for tests: the same flags, so every module can reuse them.
file(WRITE ${CMAKE_BINARY_DIR}/generated/empty.cc "// Carries a precompiled header.\n")
add_library(parley_pch STATIC ${CMAKE_BINARY_DIR}/generated/empty.cc)
target_link_libraries(parley_pch PUBLIC parley_options)
target_precompile_headers(parley_pch PRIVATE ${CMAKE_SOURCE_DIR}/cmake/pch.h)
add_library(parley_pch_test STATIC ${CMAKE_BINARY_DIR}/generated/empty.cc)
target_link_libraries(parley_pch_test PUBLIC parley_options GTest::gtest)
target_precompile_headers(parley_pch_test PRIVATE ${CMAKE_SOURCE_DIR}/cmake/pch_test.h)
