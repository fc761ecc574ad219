# backstep_fuzz_targets(): each tests/fuzz/NAME_fuzz.c becomes the libFuzzer program fuzz/NAME and
# the test fuzz_NAME, which reads tests/fuzz/corpus/NAME/. clang compiles them whatever the compiler
# of the rest, so the libraries' sources are compiled once more, by commands of their own.
function(backstep_fuzz_targets)
  file(GLOB targets CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/fuzz/*_fuzz.c)
  if(NOT targets)
    return()
  endif()
  find_program(BACKSTEP_CLANG NAMES clang clang-19 clang-18 clang-17 clang-16 clang-15 clang-14)
  set(dir ${CMAKE_BINARY_DIR}/fuzz)
  set(sanitizers address,undefined)
  set(flags -std=gnu11 -g -O1 -fno-strict-aliasing -fno-omit-frame-pointer
            -fno-sanitize-recover=undefined -fsanitize=fuzzer-no-link,${sanitizers} -D_GNU_SOURCE
            -DBACKSTEP_VERSION="${PROJECT_VERSION}" -I${CMAKE_SOURCE_DIR}
            ${XXHASH_CFLAGS} ${UV_CFLAGS} ${ZLIB_CFLAGS} ${LIBELF_CFLAGS} ${JANSSON_CFLAGS} -I${FDT_INCLUDE})

  # Adds the object of a source to the list `objects`.
  macro(compile source)
    file(RELATIVE_PATH path ${CMAKE_SOURCE_DIR} ${source})
    set(object ${dir}/objects/${path}.o)
    get_filename_component(object_dir ${object} DIRECTORY)
    file(MAKE_DIRECTORY ${object_dir})
    add_custom_command(OUTPUT ${object} DEPFILE ${object}.d DEPENDS ${source} VERBATIM
                       COMMAND ${BACKSTEP_CLANG} ${flags} -MD -MF ${object}.d -c ${source}
                               -o ${object})
    list(APPEND objects ${object})
  endmacro()

  # Above first: the order in which they are linked.
  set(folders cli server timeline devices replay checkpoints machine rsp base)
  set(below_timeline replay checkpoints machine)
  if(BACKSTEP_CLANG)
    foreach(folder IN LISTS folders)
      file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${folder}/*.c)
      if(folder STREQUAL "cli")
        # What reads anybody's files, without the libraries that the rest of the folder needs.
        list(FILTER sources INCLUDE REGEX "/(vmstate_(check|model|renames)|recording_config|recording_config_write)\\.c$")
      elseif(folder STREQUAL "server")
        # What takes bytes apart, and a gdb session with what it stands on.
        list(FILTER sources INCLUDE REGEX "/(qmp_(reader|request)|gdb_[a-z]+|conn|movement|interpreter|register_table|stop_text)\\.c$")
      endif()
      set(objects "")
      foreach(source IN LISTS sources)
        compile(${source})
      endforeach()
      set(archive_${folder} "")
      if(objects)
        set(archive_${folder} ${dir}/lib${folder}.a)
        add_custom_command(OUTPUT ${archive_${folder}} DEPENDS ${objects} VERBATIM
                           COMMAND ${CMAKE_COMMAND} -E rm -f ${archive_${folder}}
                           COMMAND ${CMAKE_AR} rcs ${archive_${folder}} ${objects})
      endif()
    endforeach()
  endif()

  set(programs "")
  foreach(target IN LISTS targets)
    get_filename_component(name ${target} NAME_WE)
    string(REGEX REPLACE "_fuzz$" "" name ${name})
    if(BACKSTEP_CLANG)
      # Only the libraries whose headers it includes, and what lies below: changes elsewhere build
      # nothing.
      set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${target})
      file(STRINGS ${target} includes REGEX "^#include \"")
      set(archives "")
      foreach(folder IN LISTS folders)
        if(folder STREQUAL "base" OR "${includes}" MATCHES "\"${folder}/" OR
           (folder STREQUAL "machine" AND "${includes}" MATCHES "\"(cli|devices)/") OR
           (folder IN_LIST below_timeline AND "${includes}" MATCHES "\"timeline/"))
          list(APPEND archives ${archive_${folder}})
        endif()
      endforeach()
      set(objects "")
      compile(${target})
      add_custom_command(OUTPUT ${dir}/${name} DEPENDS ${objects} ${archives} VERBATIM
                         COMMAND ${BACKSTEP_CLANG} -fsanitize=fuzzer,${sanitizers} ${objects}
                                 ${archives} ${XXHASH_LINK_LIBRARIES} ${ZLIB_LINK_LIBRARIES}
                                 ${LIBELF_LINK_LIBRARIES} ${JANSSON_LINK_LIBRARIES} ${FDT_LIBRARY}
                                 ${UV_LINK_LIBRARIES}
                                 -lm -pthread
                                 -o ${dir}/${name})
      list(APPEND programs ${dir}/${name})
    endif()
    # Without clang there is no program: the script says so and skips.
    backstep_add_test(fuzz_${name} ${CMAKE_SOURCE_DIR}/scripts/fuzz.sh ${dir}/${name}
                      ${CMAKE_SOURCE_DIR}/tests/fuzz/corpus/${name})
  endforeach()
  add_custom_target(fuzz ALL DEPENDS ${programs})
endfunction()
