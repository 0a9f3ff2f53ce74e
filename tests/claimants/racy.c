/* Looks first and writes then: between the two anybody else may win as well. */
#include <fcntl.h>
#include <unistd.h>

#include "protocol.h"

int main(void) {
    while (next_claim()) {
        if (access(path, F_OK) == 0) {
            answer("false");
        } else {
            int file = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0600);
            int kept = file >= 0 && write(file, value, strlen(value)) >= 0;
            close(file);
            kept ? answer("true") : refuse("the file cannot be written");
        }
    }
    return 0;
}
