/* Looks first and writes then: between the two anybody else may win as well.
 * Serves "claim KEY VALUE" with "true", "false" or "error TEXT", on files in the directory argv[1]. */
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
        if (access(path, F_OK) == 0) {
            puts("false");
        } else {
            int file = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0600);
            int kept = file >= 0 && write(file, value, strlen(value)) >= 0;
            close(file);
            puts(kept ? "true" : "error the file cannot be written");
        }
        fflush(stdout);
    }
    return 0;
}
