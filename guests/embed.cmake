# cmake -DOUTPUT=FILE.c "-DFILES=NAME=PATH;..." -P embed.cmake
# Writes the files, in the order given, as the table that cli/embedded.h declares.
set(arrays "")
set(rows "")
set(index 0)
string(REPEAT "." 32 sixteen_bytes)
foreach(entry IN LISTS FILES)
  string(REGEX MATCH "^([^=]*)=(.*)$" matched "${entry}")
  set(name "${CMAKE_MATCH_1}")
  set(path "${CMAKE_MATCH_2}")
  file(READ "${path}" bytes HEX)
  string(REGEX REPLACE "(${sixteen_bytes})" "\\1\n" bytes "${bytes}")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
  # One more byte, so that texts end with a zero and an empty file is still an array.
  string(APPEND arrays "static const unsigned char file_${index}[] = {\n${bytes}\n0x00};\n\n")
  string(APPEND rows "    {\"${name}\", file_${index}, sizeof(file_${index}) - 1},\n")
  math(EXPR index "${index} + 1")
endforeach()
file(WRITE "${OUTPUT}" "#include \"cli/embedded.h\"\n\n${arrays}"
     "const struct embedded_file embedded_files[] = {\n${rows}};\n"
     "const size_t embedded_count = ${index};\n")
