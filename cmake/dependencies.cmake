# Every library the project links, in one place; DEPENDENCIES.md says why each is here.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(OpenSSL 3 REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(GTest REQUIRED)
find_package(benchmark REQUIRED)
find_package(CLI11 REQUIRED)
# CMake 3.25 is older than Boost 1.81 and would warn that it does not know what its components need of each other.
set(Boost_NO_WARN_NEW_VERSIONS ON)
find_package(Boost 1.81 EXACT REQUIRED COMPONENTS json)

foreach(entry sqlite3:sqlite3 libpq:libpq xapian:xapian-core sodium:libsodium gumbo:gumbo tomlplusplus:tomlplusplus
              hiredis:hiredis fido2:libfido2 qrencode:libqrencode curl:libcurl idn2:libidn2)
  string(REPLACE ":" ";" pair ${entry})
  list(GET pair 0 name)
  list(GET pair 1 module)
  pkg_check_modules(${name} REQUIRED IMPORTED_TARGET ${module})
  add_library(dep::${name} ALIAS PkgConfig::${name})
endforeach()

find_package(cmark-gfm QUIET)
find_library(CMARK_GFM_LIBRARY cmark-gfm REQUIRED)
find_library(CMARK_GFM_EXTENSIONS_LIBRARY cmark-gfm-extensions REQUIRED)
add_library(dep_cmark INTERFACE)
target_link_libraries(dep_cmark INTERFACE ${CMARK_GFM_EXTENSIONS_LIBRARY} ${CMARK_GFM_LIBRARY})
add_library(dep::cmark ALIAS dep_cmark)

find_library(ZXCVBN_LIBRARY zxcvbn REQUIRED)
add_library(dep_zxcvbn INTERFACE)
target_link_libraries(dep_zxcvbn INTERFACE ${ZXCVBN_LIBRARY})
add_library(dep::zxcvbn ALIAS dep_zxcvbn)

# Asio is headers; the definitions that shape it are in compile_options.cmake.
add_library(dep_boost INTERFACE)
target_link_libraries(dep_boost INTERFACE Boost::headers Threads::Threads)
add_library(dep::boost ALIAS dep_boost)
add_library(dep::json ALIAS Boost::json)
