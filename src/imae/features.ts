/** What of an encoding stands for the image: the class token, or the mean of the patch tokens. */
export type Pool = 'class' | 'mean';
