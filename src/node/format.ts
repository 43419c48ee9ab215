export * from '../files/format';
