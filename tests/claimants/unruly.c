/* Does what its key says, in the middle of a call: the ways in which a command can go wrong.
 * Serves "claim KEY VALUE" lines; any other key is claimed without a look at anything. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void hear(int number) { (void)number; }

static void *begin_anew(void *program) {
    execl(program, program, "answer", (char *)0);
    return 0;
}

int main(int argc, char **argv) {
    char line[4096];
    signal(SIGUSR1, hear);
    if (argc == 2 && !strcmp(argv[1], "answer")) {
        puts("true");
        fflush(stdout);
    }
    while (fgets(line, sizeof line, stdin)) {
        char *key = line + strlen("claim ");
        *strchr(key, ' ') = 0;
        fprintf(stderr, "asked for %s\n", key);
        if (!strcmp(key, "spin")) for (;;) {}
        if (!strcmp(key, "sleep")) for (;;) pause();
        if (!strcmp(key, "exit")) exit(7);
        if (!strcmp(key, "abort")) abort();
        if (!strcmp(key, "twice")) puts("true");
        if (!strcmp(key, "odd")) puts("perhaps");
        else if (!strcmp(key, "error")) puts("error the disk is full");
        else if (!strcmp(key, "signal")) puts(kill(getpid(), SIGUSR1) ? "false" : "true");
        else if (!strcmp(key, "stop")) puts(raise(SIGSTOP) ? "false" : "true");
        else if (!strcmp(key, "shell")) puts(system("test -d /") ? "false" : "true");
        else if (!strcmp(key, "exec")) {
            pthread_t thread;
            pthread_create(&thread, 0, begin_anew, argv[0]);
            for (;;) {}
        }
        else if (!strcmp(key, "daemon")) {
            pid_t child = fork();
            if (!child) { setsid(); for (;;) pause(); }
            fprintf(stderr, "child %d\n", (int)child);
            puts(child > 0 ? "true" : "false");
        } else puts("true");
        fflush(stdout);
    }
    return argc > 9;
}
