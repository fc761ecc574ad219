/* `backstep export`: what a recording holds at a position, as files of other programs. */
#ifndef CLI_EXPORT_H
#define CLI_EXPORT_H

/* The command; argv[0] is its name. Returns the exit status. */
int export_main(int argc, char **argv);

#endif
