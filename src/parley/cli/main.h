#pragma once

namespace parley::cli {

/// The program: reads the command line, and runs the command here, or in the server that holds the data folder.
int run(int argc, char** argv);

}  // namespace parley::cli
