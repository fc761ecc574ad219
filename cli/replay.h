/* `backstep replay`: a recording for gdb. */
#ifndef CLI_REPLAY_H
#define CLI_REPLAY_H

/* argv[0] is "replay"; returns the exit status: 2 when the recording cannot be opened. */
int replay_main(int argc, char **argv);

#endif
