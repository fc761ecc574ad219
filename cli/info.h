/* `backstep info`: what a recording is and has. */
#ifndef CLI_INFO_H
#define CLI_INFO_H

/* argv[0] is "info"; returns the exit status: 1 when it can be read only in part, 2 not at all. */
int info_main(int argc, char **argv);

#endif
