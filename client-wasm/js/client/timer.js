/** The longest time that timers accept; the engine then asks for another one. */
export const LONGEST = 2 ** 31 - 1;
