/* Floats as text. */
#ifndef CK_NUMBER_H
#define CK_NUMBER_H

enum { CK_NUMBER_SIZE = 40 };

/*
** Writes the shortest form that reads back as the same number, such as 0.1, 3.0 or 1e+300: with a
** point in every locale, and recognizable as a float. The value must be finite.
*/
void ck_number_write(double value, char to[CK_NUMBER_SIZE]);

#endif
