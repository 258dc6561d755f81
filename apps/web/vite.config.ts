import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

export default defineConfig({
  plugins: [react()],
  // From the client's source, so that a change in it is seen at once and no build of it has to come first.
  resolve: { conditions: ['@holdfast/source', 'module', 'browser', 'development|production'] },
  build: { outDir: 'dist', sourcemap: true, rolldownOptions: { input: ['index.html', 'thief.html'] } },
});
