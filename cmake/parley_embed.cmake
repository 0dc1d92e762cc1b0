# parley_embed(OUTPUT pages.cc FUNCTION parley::api::embedded_pages HEADER parley/api/web_files.h
#              TYPE parley::api::EmbeddedFile FOLDER dir FILES a.js b.css)
# Writes a source file that carries the files' bytes (by #embed) and a function that lists them as {name, bytes}.
function(parley_embed)
  cmake_parse_arguments(E "" "OUTPUT;FUNCTION;HEADER;TYPE;FOLDER" "FILES" ${ARGN})
  set(text "// Written by CMake from the files it lists.\n#include <array>\n#include <span>\n\n#include \"${E_HEADER}\"\n\nnamespace {\n")
  set(rows "")
  set(index 0)
  set(paths "")
  foreach(file ${E_FILES})
    set(path ${E_FOLDER}/${file})
    list(APPEND paths ${path})
    # A trailing 0 makes an empty file legal; it is not counted in the size.
    string(APPEND text "constexpr char file_${index}[] = {\n#embed \"${path}\" suffix(,)\n  0};\n")
    string(APPEND rows "    ${E_TYPE}{\"${file}\", std::string_view(file_${index}, sizeof file_${index} - 1)},\n")
    math(EXPR index "${index} + 1")
  endforeach()
  string(REGEX REPLACE "::[^:]*$" "" namespace ${E_FUNCTION})
  string(REGEX REPLACE ".*::" "" function ${E_FUNCTION})
  string(APPEND text "constexpr std::array files{\n${rows}};\n}  // namespace\n\n")
  string(APPEND text "namespace ${namespace} {\nstd::span<const ${E_TYPE}> ${function}() { return files; }\n}  // namespace ${namespace}\n")
  file(CONFIGURE OUTPUT ${E_OUTPUT} CONTENT "${text}" @ONLY)
  # The compiler does not tell ninja which files it embedded, so they are named here.
  set_source_files_properties(${E_OUTPUT} PROPERTIES OBJECT_DEPENDS "${paths}"
    COMPILE_OPTIONS "-Wno-c23-extensions")
endfunction()
