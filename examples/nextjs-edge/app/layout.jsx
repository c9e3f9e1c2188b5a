export const metadata = { title: 'Where a network looks' };

export default function Layout({ children }) {
  return (
    <html lang="en">
      <body style={{ font: '1rem/1.5 system-ui, sans-serif', maxWidth: '40rem', margin: '2rem auto' }}>{children}</body>
    </html>
  );
}
