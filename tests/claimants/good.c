/* Claims that the kernel decides: the file is made, or was there, in one system call.
 * Serves "claim KEY VALUE" with "true", "false" or "error TEXT", on files in the directory argv[1]. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv) {
    char line[4096], path[8192];
    while (argc == 2 && fgets(line, sizeof line, stdin)) {
        char *key = line + strlen("claim "), *value = strchr(key, ' ');
        *value++ = 0;
        snprintf(path, sizeof path, "%s/%s", argv[1], key);
        int file = open(path, O_CREAT | O_EXCL | O_WRONLY, 0600);
        if (file >= 0) {
            int kept = write(file, value, strlen(value)) >= 0;
            close(file);
            puts(kept ? "true" : "error the value was not written");
        } else {
            puts(errno == EEXIST ? "false" : "error the file cannot be made");
        }
        fflush(stdout);
    }
    return 0;
}
