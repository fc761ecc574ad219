/* `backstep run`: the machine, its recording and gdb's port, from the command line to the end. */
#ifndef CLI_RUN_H
#define CLI_RUN_H

/* argv[0] is "run"; returns the program's exit status. */
int run_main(int argc, char **argv);
/* The same for a program that has the name of QEMU's: argv[0] is that. */
int run_main_qemu(int argc, char **argv);

#endif
