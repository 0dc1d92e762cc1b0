# parley_embed(OUTPUT pages.cc FUNCTION parley::api::embedded_pages HEADER parley/api/web_files.h
#              FOLDER dir FILES a.js b.css)
# Makes a source file with a function, declared in HEADER, that gives the listed files as parley::EmbeddedFile.
# Plain text rather than #embed: ccache 4.7 does not see a change behind an #embed. Text files only.
#
# The same file is the script that writes the source, run when one of the listed files changes.
if(CMAKE_SCRIPT_MODE_FILE)
  set(rows "")
  string(REPLACE "|" ";" FILES "${FILES}")
  foreach(file ${FILES})
    file(READ ${FOLDER}/${file} text)
    string(APPEND rows "    parley::EmbeddedFile{\"${file}\", R\"~~(${text})~~\"},\n")
  endforeach()
  string(REGEX REPLACE "::[^:]*$" "" namespace ${FUNCTION})
  string(REGEX REPLACE ".*::" "" function ${FUNCTION})
  file(WRITE ${OUTPUT} "#include \"${HEADER}\"

#include <array>

namespace ${namespace} {

std::span<const parley::EmbeddedFile> ${function}() {
  static constexpr std::array files{
${rows}  };
  return files;
}

}  // namespace ${namespace}
")
  return()
endif()

function(parley_embed)
  cmake_parse_arguments(E "" "OUTPUT;FUNCTION;HEADER;FOLDER" "FILES" ${ARGN})
  set(output ${CMAKE_CURRENT_BINARY_DIR}/${E_OUTPUT})
  list(TRANSFORM E_FILES PREPEND ${E_FOLDER}/ OUTPUT_VARIABLE paths)
  string(REPLACE ";" "|" names "${E_FILES}")
  set(script ${CMAKE_SOURCE_DIR}/cmake/parley_embed.cmake)
  add_custom_command(OUTPUT ${output}
    COMMAND ${CMAKE_COMMAND} -D FOLDER=${E_FOLDER} -D "FILES=${names}" -D OUTPUT=${output}
      -D FUNCTION=${E_FUNCTION} -D HEADER=${E_HEADER} -P ${script}
    DEPENDS ${paths} ${script}
    COMMENT "Embedding ${E_OUTPUT}" VERBATIM)
endfunction()
